import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import type { Reading } from '../../../../src/registry/driver.ts';
import { Follower, type HealthList } from '../../../../src/registry/drivers/consul/follower.ts';
import { readingFrom } from '../../../../src/registry/drivers/consul/reading.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

interface Query {
  readonly index: number;
  readonly answer: (answer: HealthList) => Promise<void>;
  readonly fail: (error: Error) => void;
}

/** A follower whose queries the test answers. */
class Following {
  readonly clock = new FakeClock();
  readonly queries: Query[] = [];
  readonly events: (Reading | 'confirmed')[] = [];
  readonly aborting = new AbortController();
  readonly done: Promise<void>;

  constructor(from: HealthList, pollMs?: number) {
    const follower = new Follower(
      {
        clock: this.clock,
        random: () => 0.5,
        sink: {
          changed: (reading) => this.events.push(reading),
          confirmed: () => this.events.push('confirmed'),
        },
        listAfter: (index, signal) => this.#ask(index, signal),
      },
      {
        service: 'web',
        from: readingFrom('web', from),
        ...(pollMs !== undefined && { pollMs }),
      },
    );
    this.done = follower.run(this.aborting.signal);
  }

  get indexes(): readonly number[] {
    return this.queries.map(({ index }) => index);
  }

  get last(): Query {
    const query = this.queries.at(-1);
    assert.ok(query !== undefined);
    return query;
  }

  async stop(): Promise<void> {
    this.aborting.abort();
    await this.done;
    assert.equal(this.clock.pendingTimers, 0);
  }

  #ask(index: number, signal: AbortSignal): Promise<HealthList> {
    return new Promise((resolve, reject) => {
      const answer = async (list: HealthList): Promise<void> => {
        resolve(list);
        await settle();
      };
      this.queries.push({ index, answer, fail: reject });
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  }
}

function listOf(index: number, ...ids: readonly string[]): HealthList {
  const body = ids.map((ID) => ({ Node: { Node: 'n' }, Service: { ID, Address: 'h', Port: 1 } }));
  return { body, index, isReturn: false };
}

describe('following by blocking queries', () => {
  it('waits from the index that was read, and from each new one', async () => {
    const following = new Following(listOf(7, 'a'));
    assert.deepEqual(following.indexes, [7]);
    await following.last.answer(listOf(9, 'a', 'b'));
    await following.clock.advance(10);
    assert.deepEqual(following.indexes, [7, 9]);
    const [reading] = following.events;
    assert.ok(typeof reading === 'object');
    assert.deepEqual(
      reading.instances.map(({ id }) => id),
      ['a@n', 'b@n'],
    );
    assert.equal(reading.reset, undefined);
    await following.stop();
  });

  it('takes an answer with the same list for no change, whatever its index and order', async () => {
    const following = new Following(listOf(7, 'a', 'b'));
    await following.last.answer(listOf(9, 'b', 'a'));
    assert.deepEqual(following.events, ['confirmed']);
    await following.stop();
  });

  it('begins anew after an index that went backwards, and says that data was lost', async () => {
    const following = new Following(listOf(70, 'a'));
    await following.last.answer(listOf(5, 'b'));
    await following.clock.advance(10);
    assert.deepEqual(following.indexes, [70, 0]);
    const [reading] = following.events;
    assert.equal(typeof reading === 'object' && reading.reset, true);
    await following.last.answer(listOf(5, 'a'));
    await following.clock.advance(10);
    assert.deepEqual(following.indexes, [70, 0, 5]);
    const second = following.events[1];
    assert.equal(typeof second === 'object' && second.reset, undefined);
    await following.stop();
  });

  it('believes an empty list when it is asked for again', async () => {
    const following = new Following(listOf(7, 'a'));
    await following.last.answer(listOf(9));
    assert.deepEqual(following.indexes, [7, 0]);
    assert.equal(following.events.length, 0);
    await following.last.answer(listOf(9));
    assert.deepEqual(following.indexes, [7, 0, 9]);
    const [reading] = following.events;
    assert.deepEqual(typeof reading === 'object' && reading.instances, []);
    await following.last.answer(listOf(10));
    assert.deepEqual(following.indexes, [7, 0, 9, 10]);
    await following.stop();
  });

  it('does not ask in a loop when queries return at once without a change', async () => {
    const following = new Following(listOf(1, 'a'));
    const asked = async (forMs: number): Promise<number> => {
      const before = following.queries.length;
      for (let passedMs = 0; passedMs < forMs; passedMs += 50) {
        await following.last.answer(listOf(following.queries.length + 1, 'a'));
        await following.clock.advance(50);
      }
      return following.queries.length - before;
    };
    await asked(5000);
    const count = await asked(10_000);
    assert.ok(count >= 9 && count <= 11, `${count} queries in 10 s`);
    await following.stop();
  });

  it('asks some twenty times a second at most while the list changes all the time', async () => {
    const following = new Following(listOf(1, 'a'));
    for (let round = 0; round < 1000; round++) {
      await following.last.answer(listOf(round + 2, `a${following.queries.length}`));
      await following.clock.advance(10);
    }
    const count = following.queries.length;
    assert.ok(count >= 210 && count <= 225, `${count} queries in 10 s`);
    await following.stop();
  });

  it('leaves time between queries for long lists', async () => {
    const following = new Following(listOf(1));
    const ids = Array.from({ length: 1000 }, (_, n) => `a${n}`);
    await following.last.answer(listOf(2, ...ids));
    assert.deepEqual(following.indexes, [1]);
    await following.clock.advance(1000);
    assert.deepEqual(following.indexes, [1, 2]);
    await following.stop();
  });

  it('asks now and then where it may not keep a connection', async () => {
    const following = new Following(listOf(7, 'a'), 5000);
    assert.deepEqual(following.indexes, []);
    await following.clock.advance(5000);
    assert.deepEqual(following.indexes, [0]);
    await following.last.answer(listOf(8, 'b'));
    assert.deepEqual(following.indexes, [0]);
    await following.clock.advance(5010);
    assert.deepEqual(following.indexes, [0, 0]);
    assert.equal(following.events.length, 1);
    await following.stop();
  });

  it('rejects as soon as a query fails or makes no sense', async () => {
    const failing = new Following(listOf(7));
    failing.last.fail(new RegistryError('registry_timeout', 'silent'));
    await assert.rejects(failing.done, { code: 'registry_timeout' });
    const senseless = new Following(listOf(7));
    void senseless.last.answer({ ...listOf(8), body: { no: 'list' } });
    await assert.rejects(senseless.done, { code: 'registry_invalid' });
  });
});
