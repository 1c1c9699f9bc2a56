import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstAnswer } from '../../../../src/registry/drivers/redis/first-answer.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { forever } from './fake-port.ts';

describe('the first answer', () => {
  it('ends the asking', async () => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const ask = async (name: string): Promise<string> => {
      asked.push(name);
      return `${name}!`;
    };
    assert.equal(await firstAnswer(clock, ['a', 'b'], ask, 300), 'a!');
    assert.deepEqual(asked, ['a']);
    await settle();
    assert.equal(clock.pendingTimers, 0);
  });

  it('comes from the next one after a failure, at once', async () => {
    const clock = new FakeClock();
    const ask = async (name: string): Promise<string> => {
      if (name === 'a') throw new Error('refused');
      return name;
    };
    assert.equal(await firstAnswer(clock, ['a', 'b'], ask, 300), 'b');
  });

  it('is not waited for alone when it is slow, and counts when it comes', async () => {
    const clock = new FakeClock();
    let answerA: ((text: string) => void) | undefined;
    const asked: string[] = [];
    const ask = (name: string): Promise<string> => {
      asked.push(name);
      return name === 'a' ? new Promise((resolve) => (answerA = resolve)) : forever;
    };
    const first = firstAnswer(clock, ['a', 'b', 'c'], ask, 300);
    await clock.advance(299);
    assert.deepEqual(asked, ['a']);
    await clock.advance(1);
    assert.deepEqual(asked, ['a', 'b']);
    answerA?.('late');
    assert.equal(await first, 'late');
    await clock.advance(1000);
    assert.deepEqual(asked, ['a', 'b']);
    assert.equal(clock.pendingTimers, 0);
  });

  it('is the last failure when there is none', async () => {
    const ask = async (name: string): Promise<string> => {
      throw Object.assign(new Error(`${name} is away`), { code: 'ECONNREFUSED' });
    };
    await assert.rejects(firstAnswer(new FakeClock(), ['a', 'b'], ask, 300), {
      code: 'registry_unreachable',
      message: 'redis: b is away',
    });
  });
});
