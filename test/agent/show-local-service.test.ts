// A local service as the admin API shows it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showLocalService } from '../../src/agent/show-local-service.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import { HealthCheck } from '../../src/health/health-check.ts';
import { createProbe } from '../../src/health/probe-table.ts';
import { Registrar } from '../../src/registry/registrar.ts';
import { eventually } from '../support/eventually.ts';
import { instanceOf } from '../support/scripted-driver.ts';

it('shows no secret of a command probe, nor of what the command says', async (t) => {
  const argv = ['sh', '-c', 'echo password=hunter2; exit 1', 'check', '--token=s3cret'];
  const health = new HealthCheck(
    {
      probes: [createProbe({ type: 'command', argv }, { port: 1 })],
      clock,
      random: () => 0,
      logger,
    },
    { intervalMs: 60_000, timeoutMs: 10_000, rise: 1, fall: 1, startPeriodMs: 0 },
  );
  t.after(() => health.close());
  await health.start();
  await eventually('the check has failed', () => health.state.failing.length > 0);
  const registrar = new Registrar({ leases: [], health, logger }, { serviceName: 'payments' });
  const instance = instanceOf('a');
  const shown = showLocalService({ instance, port: 1, health, leases: [], registrar });
  const [{ probe, cause } = { probe: '', cause: '' }] = shown.health.failing;
  assert.match(probe, /^command sh .*password=\*\*\*.*--token=\*\*\*$/);
  assert.match(cause, /password=\*\*\*/);
});
