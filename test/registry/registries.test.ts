import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import type { Capabilities } from '../../src/registry/driver.ts';
import { Registries, type RegistryMember } from '../../src/registry/registries.ts';
import { Registry } from '../../src/registry/registry.ts';
import { RegistryError } from '../../src/core/errors.ts';
import type { Instance } from '../../src/core/instance.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';

const service = 'payments';
const timing = { ttlMs: 10_000, heartbeatMs: 3000 };
const away = new RegistryError('registry_unreachable', 'away');

function instanceOf(id: string): Instance {
  const port = 1000 + id.charCodeAt(0);
  return { service, id, host: '127.0.0.1', port, weight: 1, tags: [], meta: {} };
}

let clock: FakeClock;
let drivers: [ScriptedDriver, ScriptedDriver];

function memberOf(driver: ScriptedDriver, use: Partial<RegistryMember> = {}): RegistryMember {
  const registry = new Registry({ driver, clock, random: () => 0.5, logger: silentLogger });
  return { registry, registers: true, discovers: true, ...use };
}

function withCapabilities(driver: ScriptedDriver, parts: Partial<Capabilities>): ScriptedDriver {
  Object.assign(driver, { capabilities: { ...driver.capabilities, ...parts } });
  return driver;
}

function watch(registries: Registries): { readonly seen: string[]; readonly stop: () => void } {
  const watching = new AbortController();
  const seen: string[] = [];
  const show = ({ state, instances }: Snapshot): void => {
    seen.push(`${state} ${instances.map(({ id }) => id).join('')}`.trim());
  };
  registries.watch(service, show, watching.signal);
  return { seen, stop: () => watching.abort() };
}

describe('Registries', () => {
  beforeEach(() => {
    clock = new FakeClock();
    drivers = [new ScriptedDriver(), new ScriptedDriver()];
  });

  it('calls a watcher at once, and then with the union on each change of it', async () => {
    const [first, second] = drivers;
    const registries = new Registries([memberOf(first), memberOf(second)], {
      combination: 'union',
    });
    await first.acquire(instanceOf('a'));
    await second.acquire(instanceOf('b'));
    const { seen } = watch(registries);
    assert.deepEqual(seen, ['unknown']);
    await clock.advance(100);
    assert.equal(seen.at(-1), 'live ab');
    assert.equal(registries.snapshot(service)?.instances.length, 2);
    const before = seen.length;
    // Known from the other registry already: nothing new.
    first.push(service, [instanceOf('a'), instanceOf('b')]);
    await clock.advance(100);
    assert.equal(seen.length, before);
    await registries.close();
  });

  it('shows the second list while the first registry is away, and nothing of a registry that is not to be asked', async () => {
    const [first, second] = drivers;
    const unused = new ScriptedDriver();
    const members = [memberOf(first), memberOf(second), memberOf(unused, { discovers: false })];
    const registries = new Registries(members, { combination: 'first-healthy' });
    await first.acquire(instanceOf('a'));
    await second.acquire(instanceOf('b'));
    await unused.acquire(instanceOf('c'));
    const { seen } = watch(registries);
    await clock.advance(100);
    assert.equal(seen.at(-1), 'live a');
    first.breakOff(away, { stayAway: true });
    await clock.advance(5000);
    assert.equal(seen.at(-1), 'live b');
    assert.deepEqual(unused.calls, ['acquire']);
    await registries.close();
  });

  it('answers with what can be asked, and fails only when nothing can', async () => {
    const [first, second] = drivers;
    const registries = new Registries([memberOf(first), memberOf(second)], {
      combination: 'union',
    });
    await second.acquire(instanceOf('b'));
    first.failure = away;
    const signal = AbortSignal.timeout(5000);
    assert.deepEqual(await registries.names(), [service]);
    assert.deepEqual((await registries.read(service, signal)).instances, [instanceOf('b')]);
    assert.deepEqual(
      registries.health().map(({ state }) => state),
      ['down', 'up'],
    );
    second.failure = away;
    await assert.rejects(registries.names(), { code: 'registry_unreachable' });
    await assert.rejects(registries.read(service, signal), { code: 'registry_unreachable' });
    await registries.close();
  });

  it('tells what keeps one that discovers from being asked, but nothing in a server’s own words', async () => {
    const [first, second] = drivers;
    const unused = new ScriptedDriver();
    const members = [memberOf(first), memberOf(second), memberOf(unused, { discovers: false })];
    const registries = new Registries(members, { combination: 'union' });
    assert.equal(registries.trouble(), undefined);
    second.failure = away;
    unused.failure = away;
    await registries.names();
    assert.equal(registries.trouble(), 'away');
    second.failure = new RegistryError('registry_auth', 'unknown command AUTH with args: hidden');
    await registries.names();
    assert.equal(registries.trouble(), 'it refuses the credentials');
    second.failure = undefined;
    await registries.names();
    assert.equal(registries.trouble(), undefined);
    await registries.close();
  });

  it('has a lease in each registry to register in, with its own times', async () => {
    const [first, second] = drivers;
    withCapabilities(second, { ttlMs: 90_000, heartbeatMs: 30_000 });
    const external = withCapabilities(new ScriptedDriver(), { registers: false });
    const off = new ScriptedDriver();
    const registries = new Registries(
      [memberOf(first), memberOf(second), memberOf(external), memberOf(off, { registers: false })],
      { combination: 'union' },
    );
    const asked: number[] = [];
    const leases = registries.leases(instanceOf('a'), ({ ttlMs }) => {
      asked.push(ttlMs);
      return timing;
    });
    assert.deepEqual(asked, [10_000, 90_000]);
    for (const lease of leases) lease.acquire();
    await settle();
    assert.deepEqual(
      [first, second, external, off].map(({ records }) => records.size),
      [1, 1, 0, 0],
    );
    assert.deepEqual(
      registries.health().map(({ registers }) => registers),
      [true, true, false, false],
    );
    await registries.close();
  });

  it('advertises for the widest registry and waits for the slowest that it registers in', () => {
    const [first, second] = drivers;
    withCapabilities(second, { advertise: 'first-address', propagationMs: 900 });
    const of = (registers: boolean): Registries =>
      new Registries([memberOf(first), memberOf(second, { registers })], { combination: 'union' });
    assert.deepEqual([of(true).advertise, of(true).propagationMs], ['first-address', 900]);
    assert.deepEqual([of(false).advertise, of(false).propagationMs], ['loopback', 100]);
  });

  it('tells every registry of an instance that cannot be reached', async () => {
    const [first, second] = drivers;
    const registries = new Registries([memberOf(first), memberOf(second)], {
      combination: 'union',
    });
    for (const id of 'abcd') for (const driver of drivers) await driver.acquire(instanceOf(id));
    const { seen } = watch(registries);
    await clock.advance(100);
    for (const driver of drivers) driver.push(service, []);
    await clock.advance(100);
    assert.equal(seen.at(-1), 'live abcd', 'a sudden loss is held');
    for (const id of 'abcd') registries.reportUnreachable(service, id);
    assert.equal(seen.at(-1), 'live');
    await registries.close();
  });
});
