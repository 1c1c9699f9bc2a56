// The lease's life against a scripted driver, on a clock that the test owns.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Lease } from '../../src/registry/lease.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { instanceOf, ScriptedDriver, unreachable } from '../support/scripted-driver.ts';
import { seededRandom } from '../support/seeded-random.ts';

const timing = { ttlMs: 10_000, heartbeatMs: 3000 };
const instance = instanceOf('a');

let clock: FakeClock;
let driver: ScriptedDriver;
let registry: Registry;
let lease: Lease;

function build(random = seededRandom(1)): void {
  clock = new FakeClock();
  driver = new ScriptedDriver();
  registry = new Registry({ driver, clock, random, logger: silentLogger });
  lease = registry.lease(instance, timing);
}

async function acquired(): Promise<void> {
  lease.acquire();
  await settle();
  assert.equal(lease.state.kind, 'active');
}

describe('Lease', () => {
  beforeEach(() => build());

  it('does nothing before it is acquired', async () => {
    await clock.advance(60_000);
    assert.equal(lease.state.kind, 'idle');
    assert.deepEqual(driver.calls, []);
    assert.equal(await lease.release(2000), 'released');
    assert.deepEqual(driver.calls, []);
  });

  it('acquires at once and then beats with jitter, the first time early', async () => {
    await acquired();
    assert.deepEqual(driver.calls, ['acquire']);
    await clock.advance(1499);
    assert.equal(driver.count('renew'), 0);
    await clock.advance(1501);
    assert.equal(driver.count('renew'), 1);
    await clock.advance(300_000);
    const { renewalsOk, ...others } = lease.counters;
    assert.ok(renewalsOk >= 92 && renewalsOk <= 112, `${renewalsOk}`);
    assert.deepEqual(others, { renewalsFailed: 0, losses: 0, acquisitions: 1 });
    assert.equal(driver.inFlightMax, 1);
  });

  it('tells its listeners of each change of kind', async () => {
    const kinds: string[] = [];
    lease.onChange(() => {
      throw new Error('a bad listener');
    });
    const stop = lease.onChange(() => kinds.push(lease.state.kind));
    await acquired();
    await clock.advance(30_000);
    await lease.release(2000);
    assert.deepEqual(kinds, ['acquiring', 'active', 'releasing', 'released']);
    stop();
    lease.acquire();
    assert.equal(kinds.length, 4);
  });

  it('acquires again at once when the registry lost the record', async () => {
    await acquired();
    driver.records.clear();
    await clock.advance(3000);
    assert.deepEqual(driver.calls, ['acquire', 'renew', 'acquire']);
    assert.equal(lease.state.kind, 'active');
    assert.deepEqual(lease.counters, {
      renewalsOk: 0,
      renewalsFailed: 0,
      losses: 1,
      acquisitions: 2,
    });
  });

  it('shares a token bucket with the other leases of the registry for that', async () => {
    const leases = Array.from({ length: 6 }, (_, index) => {
      return registry.lease(instanceOf(`x${index}`), timing);
    });
    for (const one of leases) one.acquire();
    await settle();
    driver.records.clear();
    await clock.advance(3000);
    const lost = leases.filter(({ counters }) => counters.losses > 0).length;
    assert.equal(lost, 6);
    assert.ok(driver.records.size <= 5, `${driver.records.size}`);
    await clock.advance(4000);
    assert.equal(driver.records.size, 6);
  });

  it('keeps its identity through a short outage and retries within a second', async () => {
    await acquired();
    driver.failure = unreachable;
    await clock.advance(3000);
    const state = lease.state;
    assert.equal(state.kind, 'suspect');
    assert.deepEqual(state.lastError, {
      code: 'registry_unreachable',
      message: 'connection refused',
    });
    await clock.advance(3000);
    const tries = driver.count('renew');
    assert.ok(tries >= 4 && tries < 40, `${tries} tries`);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(lease.state.kind, 'active');
    assert.equal(driver.count('acquire'), 1);
    assert.equal(lease.counters.losses, 0);
    assert.ok(lease.counters.renewalsFailed >= 4);
  });

  it('acquires rather than renews after an outage longer than the TTL, within a second', async () => {
    await acquired();
    driver.failure = unreachable;
    await clock.advance(30_000);
    assert.equal(lease.state.kind, 'acquiring');
    assert.equal(lease.counters.losses, 1);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(lease.state.kind, 'active');
    assert.equal(driver.inFlightMax, 1);
  });

  it('spreads the acquiring of a fleet whose records are gone after an outage', async () => {
    const atMs: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      build(seededRandom(seed));
      await acquired();
      driver.failure = unreachable;
      await clock.advance(4000);
      driver.failure = undefined;
      driver.records.clear();
      const backMs = clock.nowMs();
      while (lease.counters.losses === 0) await clock.advance(10);
      const goneMs = clock.nowMs();
      while (lease.counters.acquisitions === 1) await clock.advance(10);
      atMs.push(clock.nowMs() - goneMs);
      assert.ok(clock.nowMs() - backMs <= 2020);
      await registry.close();
    }
    assert.ok(Math.max(...atMs) - Math.min(...atMs) > 500, atMs.join());
    assert.ok(Math.max(...atMs) <= 1010, atMs.join());
  });

  it('finds out by the clock that the process was stopped, and acquires at once', async () => {
    await acquired();
    await clock.jump(20_000);
    assert.deepEqual(driver.calls, ['acquire', 'acquire']);
    assert.equal(lease.state.kind, 'active');
    assert.equal(lease.counters.losses, 1);
  });

  it('does not take an answer that came after the stop for a fresh one', async () => {
    await acquired();
    let answer: (value: 'ok') => void = () => undefined;
    driver.renew = () => new Promise((resolve) => (answer = resolve));
    await clock.advance(3000);
    driver.renew = () => Promise.resolve('ok');
    const stopped = clock.jump(20_000);
    answer('ok');
    await stopped;
    await clock.advance(1000);
    assert.equal(driver.count('acquire'), 2);
    assert.equal(lease.state.kind, 'active');
  });

  it('gives up on an operation that hangs', async () => {
    await acquired();
    driver.hung.add('renew');
    await clock.advance(3000 + 2000);
    const state = lease.state;
    assert.equal(state.kind === 'suspect' && state.lastError.code, 'registry_timeout');
    driver.hung.clear();
    await clock.advance(3000);
    assert.equal(lease.state.kind, 'active');
  });

  it('survives errors that a driver should not throw', async () => {
    driver.failure = new TypeError('a bug');
    lease.acquire();
    await clock.advance(2000);
    const state = lease.state;
    assert.equal(state.kind === 'acquiring' && state.lastError?.code, 'registry_invalid');
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(lease.state.kind, 'active');
  });

  it('asks rarely while the credentials are refused', async () => {
    driver.failure = new RegistryError('registry_auth', 'wrong password');
    lease.acquire();
    await clock.advance(600_000);
    const before = driver.count('acquire');
    await clock.advance(600_000);
    assert.ok(driver.count('acquire') - before < 200);
  });
});

describe('Lease.update', () => {
  beforeEach(() => build());

  it('writes the new record at once and stays active', async () => {
    await acquired();
    lease.update(instanceOf('a', { weight: 5 }));
    assert.equal(lease.state.kind, 'active');
    await settle();
    assert.equal(driver.records.get('a')?.weight, 5);
    assert.equal(lease.counters.acquisitions, 1);
    await clock.advance(30_000);
    assert.equal(driver.count('acquire'), 2);
  });

  it('writes the latest of several, one at a time', async () => {
    await acquired();
    for (const weight of [2, 3, 4]) {
      lease.update(instanceOf('a', { weight }));
      await Promise.resolve();
    }
    await settle();
    assert.equal(driver.records.get('a')?.weight, 4);
    assert.equal(driver.inFlightMax, 1);
  });

  it('refuses the record of another instance', () => {
    assert.throws(() => lease.update(instanceOf('b')), TypeError);
  });
});

describe('Lease.release', () => {
  beforeEach(() => build());

  it('removes the record and ends the heartbeats', async () => {
    await acquired();
    assert.equal(await lease.release(2000), 'released');
    assert.equal(driver.records.size, 0);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(await lease.release(2000), 'released');
    assert.deepEqual(driver.calls, ['acquire', 'release']);
  });

  it('retries once within its budget', async () => {
    await acquired();
    driver.failure = unreachable;
    const first = lease.release(2000);
    await settle();
    driver.failure = undefined;
    await clock.advance(100);
    assert.equal(await first, 'released');
    assert.equal(driver.count('release'), 2);
  });

  for (const [what, script] of [
    ['refuses', () => (driver.failure = unreachable)],
    ['hangs', () => driver.hung.add('release')],
  ] as const) {
    it(`ends by its budget when the registry ${what}`, async () => {
      await acquired();
      script();
      const release = lease.release(2000);
      await clock.advance(2000);
      assert.equal(await release, 'timeout');
      assert.deepEqual(lease.state.kind === 'released' && lease.state.outcome, 'timeout');
      assert.equal(driver.count('release'), 2);
      assert.equal(clock.pendingTimers, 0);
    });
  }

  it('ends an acquire that is in flight', async () => {
    driver.hung.add('acquire');
    lease.acquire();
    await settle();
    assert.equal(await lease.release(2000), 'released');
    assert.equal(clock.pendingTimers, 0);
  });

  it('may be followed by another acquire, even before it has ended', async () => {
    await acquired();
    const release = lease.release(2000);
    lease.acquire();
    assert.equal(lease.state.kind, 'releasing');
    assert.equal(await release, 'released');
    await settle();
    assert.equal(lease.state.kind, 'active');
    assert.deepEqual(driver.calls, ['acquire', 'release', 'acquire']);
    const again = lease.release(2000);
    lease.acquire();
    assert.equal(await lease.release(2000), await again);
    await settle();
    assert.equal(kindOf(lease), 'released');
  });
});

/** Asked through a function, because an assertion on the property would narrow it for good. */
function kindOf(lease: Lease): string {
  return lease.state.kind;
}
