import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Slots } from '../../src/registry/slots.ts';
import { settle } from '../support/fake-clock.ts';

describe('slots', () => {
  const never = new AbortController().signal;

  it('let only so many run at once, then the latest, and go on after a failure', async () => {
    const slots = new Slots(2);
    const begun: number[] = [];
    const ends: ((error?: Error) => void)[] = [];
    const results = [0, 1, 2, 3].map((n) =>
      slots.use(() => {
        begun.push(n);
        return new Promise<number>((resolve, reject) => {
          ends[n] = (error) => (error === undefined ? resolve(n) : reject(error));
        });
      }, never),
    );
    await settle();
    assert.deepEqual(begun, [0, 1]);
    ends[1]?.(new Error('failed'));
    await assert.rejects(results[1] ?? Promise.resolve(), /failed/);
    await settle();
    assert.deepEqual(begun, [0, 1, 3]);
    for (const n of [0, 3]) ends[n]?.();
    await settle();
    ends[2]?.();
    assert.deepEqual(await Promise.all([results[0], results[2], results[3]]), [0, 2, 3]);
  });

  it('are not taken by what was cancelled while it waited', async () => {
    const slots = new Slots(1);
    let end = (): void => undefined;
    const first = slots.use(() => new Promise<void>((resolve) => (end = resolve)), never);
    const cancelling = new AbortController();
    const second = slots.use(() => Promise.reject(new Error('must not begin')), cancelling.signal);
    cancelling.abort(new Error('cancelled'));
    await assert.rejects(second, /cancelled/);
    const third = slots.use(() => Promise.resolve('third'), never);
    end();
    await first;
    assert.equal(await third, 'third');
  });
});
