// Registered exactly while healthy.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import type { Lease } from '../../src/registry/lease.ts';
import { Registrar, type HealthSource } from '../../src/registry/registrar.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { instanceOf, ScriptedDriver, unreachable } from '../support/scripted-driver.ts';
import { seededRandom } from '../support/seeded-random.ts';

class ScriptedHealth implements HealthSource {
  healthy = false;
  readonly listeners = new Set<() => void>();

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  async become(healthy: boolean): Promise<void> {
    this.healthy = healthy;
    for (const listener of this.listeners) listener();
    await settle();
  }
}

let clock: FakeClock;
let driver: ScriptedDriver;
let health: ScriptedHealth;
let lease: Lease;
let registrar: Registrar;

describe('Registrar', () => {
  beforeEach(() => {
    clock = new FakeClock();
    driver = new ScriptedDriver();
    health = new ScriptedHealth();
    const random = seededRandom(1);
    const registry = new Registry({ driver, clock, random, logger: silentLogger });
    lease = registry.lease(instanceOf('a'), { ttlMs: 10_000, heartbeatMs: 3000 });
    registrar = new Registrar(
      { leases: [lease], health, logger: silentLogger },
      { serviceName: 'payments' },
    );
  });

  it('registers when the app becomes healthy and not before', async () => {
    await registrar.start();
    await registrar.start();
    await clock.advance(10_000);
    assert.deepEqual(driver.calls, []);
    assert.equal(health.listeners.size, 1);
    await health.become(true);
    assert.equal(driver.records.size, 1);
  });

  it('registers at once when it is healthy already', async () => {
    health.healthy = true;
    await registrar.start();
    await settle();
    assert.equal(driver.records.size, 1);
  });

  it('releases when health is lost and comes back by itself', async () => {
    await registrar.start();
    await health.become(true);
    await health.become(false);
    assert.equal(driver.records.size, 0);
    await health.become(true);
    assert.equal(driver.records.size, 1);
  });

  it('comes back even when the release could not be told', async () => {
    await registrar.start();
    await health.become(true);
    driver.failure = unreachable;
    await health.become(false);
    await health.become(true);
    driver.failure = undefined;
    await clock.advance(3000);
    assert.equal(lease.state.kind, 'active');
  });

  it('stays deregistered whatever the health', async () => {
    await registrar.start();
    await health.become(true);
    assert.equal(await registrar.deregister(2000), 'released');
    assert.equal(registrar.state, 'deregistered');
    await health.become(false);
    await health.become(true);
    await registrar.start();
    assert.equal(driver.records.size, 0);
    assert.equal(health.listeners.size, 0);
  });

  it('stops listening when closed and leaves the record', async () => {
    await registrar.start();
    await health.become(true);
    await registrar.close();
    await registrar.close();
    assert.equal(health.listeners.size, 0);
    assert.equal(driver.records.size, 1);
  });
});
