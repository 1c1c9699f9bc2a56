import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { warnIfUnreachable } from '../../src/agent/reachability.ts';
import { silentLogger, type Logger } from '../../src/core/logger.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { ScriptedDriver } from '../support/scripted-driver.ts';
import { instance } from '../support/upstream-fixture.ts';

async function warningsFor(cause: string | undefined): Promise<unknown[]> {
  const clock = new FakeClock();
  const driver = new ScriptedDriver();
  const registry = new Registry({ driver, clock, random: () => 0.5, logger: silentLogger });
  const registered = instance('a1', { host: '10.0.0.5' });
  const lease = registry.lease(registered, { ttlMs: 10_000, heartbeatMs: 3000 });
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
  const probed: string[] = [];
  const prober = ({ host }: { readonly host: string }): Promise<string | undefined> => {
    probed.push(host);
    return Promise.resolve(cause);
  };
  warnIfUnreachable({ instance: registered, leases: [lease] }, prober, logger);
  assert.deepEqual(probed, [], 'asked before it was registered');
  lease.acquire();
  await settle();
  await clock.advance(10_000);
  assert.deepEqual(probed, ['10.0.0.5'], 'asked once');
  await registry.close();
  return warnings;
}

describe('warnIfUnreachable', () => {
  it('says so when nobody answers at the advertised address', async () => {
    assert.deepEqual(await warningsFor('ECONNREFUSED'), [
      { service: 'payments', address: '10.0.0.5:1001', cause: 'ECONNREFUSED' },
    ]);
  });

  it('says nothing when the app answers there', async () => {
    assert.deepEqual(await warningsFor(undefined), []);
  });
});
