import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../../../src/registry/drivers/kubernetes/turns.ts';

describe('turns', () => {
  it('are given in order, no more at once than allowed', async () => {
    const turns = new Turns({ max: 2 });
    const { signal } = new AbortController();
    const begun: number[] = [];
    const endings: (() => void)[] = [];
    const work = (n: number) => () => {
      begun.push(n);
      return new Promise<number>((resolve) => endings.push(() => resolve(n)));
    };
    const all = Promise.all([1, 2, 3, 4].map((n) => turns.run(work(n), signal)));
    assert.deepEqual(begun, [1, 2]);
    for (const count of [3, 4, 4, 4]) {
      endings.shift()?.();
      await new Promise(setImmediate);
      assert.equal(begun.length, count);
    }
    assert.deepEqual(await all, [1, 2, 3, 4]);
  });

  it('are not taken by what was cancelled, nor kept by what failed', async () => {
    const turns = new Turns({ max: 1 });
    const ending = new AbortController();
    const { signal } = new AbortController();
    const failing = turns.run(() => Promise.reject(new Error('broken')), signal);
    const cancelled = turns.run(() => Promise.resolve('never'), ending.signal);
    const last = turns.run(() => Promise.resolve('done'), signal);
    ending.abort();
    await assert.rejects(failing, /broken/);
    await assert.rejects(cancelled, { code: 'registry_timeout' });
    assert.equal(await last, 'done');
  });
});
