// The contract in bad times: whatever happens to the registry, what is known stays known and heals by itself.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from '../../src/registry/lease.ts';
import { eventually } from '../support/eventually.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import type { ContractBackend, Fault } from './backend.ts';
import {
  areActive,
  holdAndWatch,
  instanceOf,
  inWorld,
  service,
  type Recorder,
  type World,
} from './world.ts';

const instances = [1, 2, 3].map((n) => instanceOf(n));
const healed = { deadlineMs: 15_000 };

/** Registers a case for each fault that the backend can have. In each, a recorder looks for an empty snapshot. */
export function registerOutageCases(backend: ContractBackend): void {
  const test = (fault: Fault, what: string, run: (scene: Scene) => Promise<void>): void => {
    if (backend.without[fault] !== undefined) return;
    void it(what, () =>
      inWorld(backend, { own: true }, async (world) => {
        const scene = await setScene(world);
        await run(scene);
        await staysComplete(scene, backend.ttlMs);
      }),
    );
  };

  test('restartEmpty', 'a registry that comes back empty is filled again', async (scene) => {
    await scene.world.registry.restartEmpty?.();
    await eventually(
      'everything is registered again',
      () => scene.leases.every(({ counters }) => counters.acquisitions > 1),
      healed,
    );
    await isComplete(scene);
  });

  test('restartWithData', 'a registry that comes back with its data goes on', async (scene) => {
    await scene.world.registry.restartWithData?.(backend.ttlMs / 2);
    await isComplete(scene);
  });

  test('pause', 'a registry that hangs for longer than the TTL loses nobody', async (scene) => {
    await scene.world.registry.pause?.();
    await sleep(backend.ttlMs * 1.5);
    assert.equal(scene.recorder.latest.instances.length, instances.length);
    await scene.world.registry.resume?.();
    await isComplete(scene);
  });

  test('dropSilently', 'a connection that dies silently is noticed and replaced', async (scene) => {
    const { world } = scene;
    const { server } = world.registry;
    assert.ok(server !== undefined);
    const proxy = await FaultProxy.start(server.address);
    world.onEnd(() => proxy.close());
    const agent = await world.agent(server.urlAt(proxy.address));
    const recorder = await world.watch(agent);
    const [lease] = await world.hold(agent, [instanceOf(4)]);
    await recorder.sees([...instances, instanceOf(4)]);
    recorder.mark();
    proxy.set({ kind: 'blackHole' });
    await eventually('the watcher notices', () => recorder.latest.state === 'stale', healed);
    await eventually('the lease notices', () => lease?.state.kind !== 'active', healed);
    proxy.set({ kind: 'none' });
    await recorder.sees([...instances, instanceOf(4)], healed);
    await eventually('the lease is active again', () => lease?.state.kind === 'active', healed);
    assert.equal(recorder.fewest, instances.length + 1);
    await lease?.release(2000);
    await scene.recorder.sees(instances);
  });

  test(
    'dropSilently',
    'a slow, a dripping and a resetting network change nothing',
    async (scene) => {
      const { world } = scene;
      const { server } = world.registry;
      assert.ok(server !== undefined);
      const proxy = await FaultProxy.start(server.address);
      world.onEnd(() => proxy.close());
      proxy.set({ kind: 'delay', delayMs: 50 });
      const recorder = await world.watch(await world.agent(server.urlAt(proxy.address)));
      await recorder.sees(instances);
      recorder.mark();
      proxy.set({ kind: 'drip', everyMs: 0.1 });
      scene.leases[0]?.update(instanceOf(1, { weight: 2 }));
      await eventually(
        'a change comes through',
        () => recorder.latest.instances.some(({ weight }) => weight === 2),
        healed,
      );
      proxy.set({ kind: 'reset' });
      await eventually('the watcher notices', () => recorder.latest.state === 'stale', healed);
      proxy.set({ kind: 'none' });
      await recorder.sees(instances, healed);
      assert.equal(recorder.fewest, instances.length);
    },
  );
}

/** A service of three instances, each at its own agent as in life, and a watcher that knows them. */
interface Scene {
  readonly world: World;
  readonly leases: readonly Lease[];
  readonly recorder: Recorder;
}

async function setScene(world: World): Promise<Scene> {
  return { world, ...(await holdAndWatch(world, instances)) };
}

/** The watcher is live again, the leases are active, and also the registry itself lists all. */
async function isComplete({ world, leases, recorder }: Scene): Promise<void> {
  await eventually('the leases are active', () => areActive(leases), healed);
  await recorder.sees(instances, healed);
  const driver = await world.driver();
  await eventually('the registry lists all', async () => {
    const reading = await driver.read(service, AbortSignal.timeout(2000));
    return reading.instances.length === instances.length;
  });
}

/** What an outage left behind may only show when leases end: nothing is lost for another lease time. */
async function staysComplete({ recorder }: Scene, ttlMs: number): Promise<void> {
  await sleep(ttlMs);
  await recorder.sees(instances);
  assert.equal(recorder.fewest, instances.length, 'no snapshot lacked an instance');
}
