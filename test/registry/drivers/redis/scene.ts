// What a fail-over must not disturb: a service of three instances, each held by an agent of its own, and one that watches.
import assert from 'node:assert/strict';
import { redisSentinelBackend } from '../../../contract/backends/redis-sentinel.ts';
import {
  areActive,
  holdAndWatch,
  instanceOf,
  World,
  type Recorder,
} from '../../../contract/world.ts';
import type { Lease } from '../../../../src/registry/lease.ts';
import { eventually } from '../../../support/eventually.ts';

const instances = [1, 2, 3].map((n) => instanceOf(n));
/** An agent registers again within a heartbeat or a retry, and the answer takes its time on a busy machine. */
const healedMs = 2000;

export class Scene implements AsyncDisposable {
  readonly recorder: Recorder;
  readonly leases: readonly Lease[];
  readonly #world: World;

  private constructor(world: World, leases: readonly Lease[], recorder: Recorder) {
    this.#world = world;
    this.leases = leases;
    this.recorder = recorder;
  }

  static async set(url: string): Promise<Scene> {
    const { ttlMs, heartbeatMs } = redisSentinelBackend;
    const separator = url.includes('?') ? '&' : '?';
    const timed = `${url}${separator}ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
    const world = new World(redisSentinelBackend, { url: timed, close: async () => undefined });
    try {
      const { leases, recorder } = await holdAndWatch(world, instances);
      return new Scene(world, leases, recorder);
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** Everybody is registered where `countAt` looks, and the watcher lives, within 2 s. Returns how long that took, in ms. */
  async heals(countAt: () => Promise<unknown>): Promise<number> {
    const startedMs = performance.now();
    const deadlineMs = healedMs;
    await eventually('all are registered', async () => (await countAt()) === instances.length, {
      deadlineMs,
    });
    await eventually('the leases are active', () => areActive(this.leases), { deadlineMs });
    await this.recorder.sees(instances, { deadlineMs });
    return Math.round(performance.now() - startedMs);
  }

  /** No snapshot lacked an instance, also when the leases from before would end; and changes are told at once again. */
  async isUndisturbed(): Promise<void> {
    const renewed = this.leases.map(({ counters }) => counters.renewalsOk);
    await eventually('more than a lease time of renewals', () =>
      this.leases.every(({ counters }, index) => counters.renewalsOk >= (renewed[index] ?? 0) + 5),
    );
    await this.recorder.sees(instances);
    assert.equal(this.recorder.fewest, instances.length, 'no snapshot lacked an instance');
    const [lease] = this.leases;
    const weight = (lease?.instance.weight ?? 0) + 1;
    lease?.update(instanceOf(1, { weight }));
    await eventually(
      'a change is pushed',
      () => this.recorder.latest.instances.some((instance) => instance.weight === weight),
      { deadlineMs: 500 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world.close();
  }
}
