// The contract suite: what every registry backend must do, run against the real thing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import type { Instance } from '../../src/core/instance.ts';
import { eventually } from '../support/eventually.ts';
import type { ContractBackend, Fault } from './backend.ts';
import { registerOutageCases } from './outages.ts';
import { areActive, instanceOf, inWorld, type World } from './world.ts';

/** Registers the suite for one backend. Without its server it is skipped, which is a failure under CI=true. */
export function driverContract(name: string, backend: ContractBackend): void {
  const reason = backend.available();
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  describe(`driver contract: ${name}`, { skip: reason ?? false }, () => {
    after(() => backend.close());
    describe('in good times', { concurrency: 4 }, () => {
      registerLifeCases(backend);
      registerRecordCases(backend);
    });
    describe('in bad times', { concurrency: 4 }, () => registerOutageCases(backend));
    // Alone: a thousand leases in one process delay the beats of every other case.
    describe('with many', () => registerLoadCases(backend));
    describe('faults', () => registerDeclarationCases(backend));
  });
}

function registerLifeCases(backend: ContractBackend): void {
  const test = (what: string, run: (world: World) => Promise<void>): void =>
    void it(what, () => inWorld(backend, { own: false }, run));

  test('a registered instance is visible as it was given', async (world) => {
    const instance = instanceOf(1, {
      host: '2001:db8::1',
      weight: 7,
      tags: ['canary', 'v2'],
      meta: { protocol: 'h2c', team: 'billing' },
      version: '1.2.3',
      zone: 'eu-1a',
      startedAtMs: 1_700_000_000_123,
    });
    const recorder = await world.watch(await world.agent());
    await recorder.sees([]);
    await world.hold(await world.agent(), [instance]);
    await recorder.sees([instance]);
    assert.deepEqual(recorder.latest.instances, [instance]);
  });

  test('an agent that comes later sees it, and its name', async (world) => {
    await world.hold(await world.agent(), [instanceOf(1)]);
    const later = await world.agent();
    await (await world.watch(later)).sees([instanceOf(1)]);
    assert.deepEqual(await later.names(), ['payments']);
  });

  test('an update is seen', async (world) => {
    const recorder = await world.watch(await world.agent());
    const [lease] = await world.hold(await world.agent(), [instanceOf(1)]);
    await recorder.sees([instanceOf(1)]);
    lease?.update(instanceOf(1, { weight: 3, tags: ['new'] }));
    await eventually('the new weight', () => recorder.latest.instances[0]?.weight === 3);
    assert.deepEqual(recorder.latest.instances[0]?.tags, ['new']);
  });

  test('a release is seen at once, also of most instances together', async (world) => {
    const recorder = await world.watch(await world.agent());
    const instances = [1, 2, 3, 4].map((n) => instanceOf(n));
    const leases = await world.hold(await world.agent(), instances);
    await recorder.sees(instances);
    const outcomes = leases.slice(1).map((lease) => lease.release(2000));
    assert.deepEqual(await Promise.all(outcomes), ['released', 'released', 'released']);
    // Sooner than by the end of the TTL, and than by a hold.
    await recorder.sees(instances.slice(0, 1), {
      deadlineMs: backend.releaseMs ?? backend.heartbeatMs,
    });
  });

  test('it stays visible for many lease times, without a gap', async (world) => {
    const recorder = await world.watch(await world.agent());
    const [lease] = await world.hold(await world.agent(), [instanceOf(1)]);
    await recorder.sees([instanceOf(1)]);
    recorder.mark();
    await eventually('a few lease times', () => {
      const { renewalsOk } = lease?.counters ?? { renewalsOk: 0 };
      return renewalsOk * backend.heartbeatMs > 2 * backend.ttlMs;
    });
    assert.equal(recorder.fewest, 1);
    assert.equal(lease?.counters.losses, 0);
  });

  test('a killed process is gone within the TTL and a second', async (world) => {
    const recorder = await world.watch(await world.agent());
    const holder = await world.holder(instanceOf(1));
    await recorder.sees([instanceOf(1)]);
    holder.kill('SIGKILL');
    await recorder.sees([], { deadlineMs: backend.crashMs ?? backend.ttlMs + 1000 });
  });

  test('a stopped process is gone after its TTL, and back when it continues', async (world) => {
    const recorder = await world.watch(await world.agent());
    const holder = await world.holder(instanceOf(1));
    await recorder.sees([instanceOf(1)]);
    holder.kill('SIGSTOP');
    await recorder.sees([], { deadlineMs: 1000 + (backend.crashMs ?? backend.ttlMs + 1000) });
    holder.kill('SIGCONT');
    await recorder.sees([instanceOf(1)]);
  });

  test('a record that the registry lost is put back', async (world) => {
    const recorder = await world.watch(await world.agent());
    const [lease] = await world.hold(await world.agent(), [instanceOf(1)]);
    await recorder.sees([instanceOf(1)]);
    const other = await world.driver();
    await other.release(instanceOf(1), AbortSignal.timeout(5000));
    await eventually('registered again', () => lease?.counters.acquisitions === 2);
    assert.equal(lease?.counters.losses, 1);
    await recorder.sees([instanceOf(1)]);
  });

  test('a release of what is not there succeeds', async (world) => {
    const driver = await world.driver();
    await driver.release(instanceOf(1), AbortSignal.timeout(5000));
  });

  test('closing leaves nothing that keeps the process', async (world) => {
    const holder = await world.holder(instanceOf(1), 'once');
    const [code] = (await once(holder, 'exit', { signal: AbortSignal.timeout(10_000) })) as [
      number,
    ];
    assert.equal(code, 0);
  });
}

function registerRecordCases(backend: ContractBackend): void {
  it('long, foreign and hostile ids and texts come back as they were', () =>
    inWorld(backend, { own: false }, async (world) => {
      const ids = [
        'Zahlung-ü-☃',
        '../../etc/passwd',
        '..',
        '.',
        'A',
        'a',
        'x:y{z}*?[',
        ' ',
        'i'.repeat(255),
      ];
      const instances = ids.map((id, n) =>
        instanceOf(n + 1, { id, tags: ['größe=☃'], meta: { 'a b': '"\\\n\u0000' } }),
      );
      const recorder = await world.watch(await world.agent());
      const leases = await world.hold(await world.agent(), instances);
      await recorder.sees(instances);
      const byPort = [...recorder.latest.instances].sort((a, b) => a.port - b.port);
      assert.deepEqual(byPort, instances);
      await Promise.all(leases.map((lease) => lease.release(2000)));
      await recorder.sees([]);
    }));

  if (backend.without.foreignRecord === undefined) {
    it('foreign records that are no instances are ignored and counted', () =>
      inWorld(backend, { own: false }, async (world) => {
        const recorder = await world.watch(await world.agent());
        await world.hold(await world.agent(), [instanceOf(1)]);
        const texts = ['', 'no json', '{"id":"x"}', `"${'x'.repeat(100_000)}"`];
        for (const text of texts)
          await world.registry.writeForeignRecord?.(instanceOf(1).service, text);
        await eventually('all are counted', () => recorder.malformed === texts.length);
        await recorder.sees([instanceOf(1)]);
        const later = await world.watch(await world.agent());
        await later.sees([instanceOf(1)]);
        assert.equal(later.malformed, texts.length);
      }));
  }

  if (backend.without.wrongPassword === undefined) {
    it('a wrong password is told as such and empties nothing', () =>
      inWorld(backend, { own: false }, async (world) => {
        const agent = await world.agent(world.registry.wrongPasswordUrl);
        const lease = agent.lease(instanceOf(1), world.timing);
        lease.acquire();
        const seen: string[] = [];
        const watching = new AbortController();
        world.onEnd(() => watching.abort());
        agent.watch(instanceOf(1).service, ({ state }) => seen.push(state), watching.signal);
        await eventually('both were refused', () => agent.health().state === 'down');
        assert.equal(agent.health().lastError?.code, 'registry_auth');
        assert.equal(lease.state.kind, 'acquiring');
        assert.deepEqual(seen, ['unknown']);
        await assert.rejects(agent.names(), { code: 'registry_auth' });
      }));
  }
}

function registerLoadCases(backend: ContractBackend): void {
  it('1,000 instances of one service come, change and go', () =>
    inWorld(backend, { own: false }, async (world) => {
      const recorder = await world.watch(await world.agent());
      const agent = await world.agent();
      const instances: readonly Instance[] = Array.from({ length: 1000 }, (_, n) => instanceOf(n));
      // Seconds on a quiet machine, tens of seconds where each is an object of a Kubernetes API server.
      const deadlineMs = 60_000;
      const timing = { ttlMs: 30_000, heartbeatMs: 10_000 };
      const leases = instances.map((instance) => agent.lease(instance, timing));
      for (const lease of leases) lease.acquire();
      await eventually('all are registered', () => areActive(leases), { deadlineMs });
      await recorder.sees(instances, { deadlineMs });
      leases[500]?.update(instanceOf(500, { weight: 5 }));
      await eventually('one of them changes', () =>
        recorder.latest.instances.some(({ weight }) => weight === 5),
      );
      await Promise.all(leases.map((lease) => lease.release(deadlineMs)));
      await recorder.sees([], { deadlineMs });
    }));
}

/** A fault that is neither offered nor declared would leave its case out unseen. */
function registerDeclarationCases(backend: ContractBackend): void {
  it('each one is offered, or declared as not applicable with a reason', async () => {
    const registry = await backend.open({ own: true });
    try {
      const offered: Readonly<Record<Fault, boolean>> = {
        restartEmpty: registry.restartEmpty !== undefined,
        restartWithData: registry.restartWithData !== undefined,
        pause: registry.pause !== undefined && registry.resume !== undefined,
        dropSilently: registry.server !== undefined,
        wrongPassword: registry.wrongPasswordUrl !== undefined,
        foreignRecord: registry.writeForeignRecord !== undefined,
      };
      for (const [fault, isOffered] of Object.entries(offered)) {
        const reason = backend.without[fault as Fault];
        assert.equal(isOffered, reason === undefined, fault);
      }
    } finally {
      await registry.close();
    }
  });
}
