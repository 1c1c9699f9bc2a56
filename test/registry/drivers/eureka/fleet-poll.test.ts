import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import type { EurekaList } from '../../../../src/registry/drivers/eureka/answers.ts';
import { Fleet } from '../../../../src/registry/drivers/eureka/fleet.ts';
import { FleetPoll } from '../../../../src/registry/drivers/eureka/fleet-poll.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { entryOf, listOf } from './fixture.ts';

const pollMs = 10_000;
const never = new AbortController().signal;
const two = [entryOf('a'), entryOf('b')];

/** A server that has two instances and answers at once, unless a test says otherwise. */
class Scene {
  readonly clock = new FakeClock();
  readonly fleet = new Fleet();
  readonly asked: string[] = [];
  all: (signal: AbortSignal) => Promise<EurekaList> = async () => listOf(two, 'UP_2_');
  changes: () => Promise<EurekaList | undefined> = async () => listOf([], 'UP_2_');
  readonly poll = new FleetPoll(
    {
      clock: this.clock,
      random: () => 0.5,
      fleet: this.fleet,
      calls: {
        all: (signal) => {
          this.asked.push('all');
          return this.all(signal);
        },
        changes: () => {
          this.asked.push('changes');
          return this.changes();
        },
      },
    },
    { pollMs },
  );
}

describe('the poll of a fleet', () => {
  it('asks once for all that read at the same time, and not again for a moment', async () => {
    const { poll, asked, clock, fleet } = new Scene();
    await Promise.all([poll.refresh(never), poll.refresh(never), poll.keepUp(never)]);
    await poll.refresh(never);
    assert.deepEqual(asked, ['all']);
    assert.equal(fleet.reading('payments').instances.length, 2);
    await clock.advance(1000);
    await poll.refresh(never);
    assert.deepEqual(asked, ['all', 'changes']);
    assert.equal(clock.pendingTimers, 0);
  });

  it('asks for followers when the time has come, and whoever asked moves that', async () => {
    const { poll, asked, clock } = new Scene();
    await poll.keepUp(never);
    await clock.advance(pollMs - 1000);
    await poll.refresh(never);
    await clock.advance(1000);
    await poll.keepUp(never);
    assert.deepEqual(asked, ['all', 'changes']);
    await clock.advance(poll.dueMs - clock.nowMs());
    await poll.keepUp(never);
    assert.deepEqual(asked, ['all', 'changes', 'changes']);
  });

  it('reads everything when the changes do not lead to what the server has', async () => {
    const scene = new Scene();
    await scene.poll.refresh(never);
    await scene.clock.advance(pollMs * 2);
    scene.changes = async () => listOf([], 'UP_1_');
    scene.all = async () => listOf([entryOf('a')], 'UP_1_');
    await scene.poll.keepUp(never);
    assert.deepEqual(scene.asked, ['all', 'changes', 'all']);
    assert.equal(scene.fleet.reading('payments').instances.length, 1);
    assert.equal(scene.fleet.epoch, 1, 'no change told that one was removed');
  });

  it('reads everything when the server tells no changes, or when they may be forgotten', async () => {
    const scene = new Scene();
    await scene.poll.refresh(never);
    await scene.clock.advance(pollMs * 2);
    scene.changes = async () => undefined;
    await scene.poll.keepUp(never);
    assert.deepEqual(scene.asked, ['all', 'changes', 'all']);
    await scene.clock.advance(61_000);
    await scene.poll.keepUp(never);
    assert.deepEqual(scene.asked.slice(3), ['all']);
  });

  it('reads everything when the changes are known to be not all', async () => {
    const { poll, asked } = new Scene();
    await poll.refresh(never);
    poll.distrustChanges();
    await poll.refresh(never);
    assert.deepEqual(asked, ['all', 'all']);
  });

  it('fails for all who wait, keeps what it has, and asks again at the next use', async () => {
    const scene = new Scene();
    await scene.poll.refresh(never);
    await scene.clock.advance(pollMs * 2);
    scene.changes = async () => {
      throw new RegistryError('registry_unreachable', 'refused');
    };
    const waiting = [scene.poll.keepUp(never), scene.poll.refresh(never)];
    for (const failed of waiting) await assert.rejects(failed, { code: 'registry_unreachable' });
    assert.equal(scene.fleet.reading('payments').instances.length, 2);
    await assert.rejects(scene.poll.keepUp(never), { code: 'registry_unreachable' });
    assert.equal(scene.asked.length, 3);
  });

  it('lets followers ask at once when a reader failed, though it is not their time', async () => {
    const scene = new Scene();
    await scene.poll.refresh(never);
    await scene.clock.advance(pollMs / 2);
    scene.changes = async () => {
      throw new RegistryError('registry_unreachable', 'refused');
    };
    await assert.rejects(scene.poll.refresh(never), { code: 'registry_unreachable' });
    await assert.rejects(scene.poll.keepUp(never), { code: 'registry_unreachable' });
  });

  it('goes on when one of those who wait gives up', async () => {
    const scene = new Scene();
    let answer: (list: EurekaList) => void = () => undefined;
    scene.all = () => new Promise((resolve) => (answer = resolve));
    const leaving = new AbortController();
    const first = scene.poll.refresh(leaving.signal);
    leaving.abort();
    await assert.rejects(first, { code: 'registry_unreachable' });
    const second = scene.poll.refresh(never);
    answer(listOf(two, 'UP_2_'));
    await second;
    assert.deepEqual(scene.asked, ['all']);
  });

  it('gives up an answer that never ends, and ends with close', async () => {
    const scene = new Scene();
    scene.all = (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const slow = assert.rejects(scene.poll.refresh(never), { code: 'registry_timeout' });
    await scene.clock.advance(30_000);
    await slow;
    const closed = assert.rejects(scene.poll.refresh(never), { code: 'registry_unreachable' });
    await settle();
    await scene.poll.close();
    await closed;
    assert.equal(scene.clock.pendingTimers, 0);
  });
});
