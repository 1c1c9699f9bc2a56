// What the agent says of its own times.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CalledServices } from '../../src/agent/called-services.ts';
import { Drain, type DrainSteps } from '../../src/agent/drain.ts';
import { View } from '../../src/agent/view.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import { Registries } from '../../src/registry/registries.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Its wall clock can be set, as by a time server. */
class AdjustedClock extends FakeClock {
  wallAheadMs = 0;

  override wallMs(): number {
    return super.wallMs() + this.wallAheadMs;
  }
}

const steps: DrainSteps = {
  announce: () => undefined,
  isRegistered: () => true,
  deregister: () => Promise.resolve(),
  stopApp: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

const called: CalledServices = {
  refresh: () => Promise.resolve(),
  used: () => [],
  unknownRequests: () => [],
  workers: () => null,
  explain: () => Promise.resolve(undefined),
};

it('shows durations that do not change when the wall clock is set', async () => {
  const clock = new AdjustedClock();
  const drain = new Drain({ clock, logger, steps }, { delayMs: 5000, timeoutMs: 25_000 });
  const registries = new Registries([], { combination: 'union' });
  const view = new View(
    { registries, called, services: [], drain, clock, requestDrain: () => undefined },
    {
      proxyUrl: () => '',
      adminUrl: () => '',
      startedAtWallMs: clock.wallMs(),
      startedAtMs: clock.nowMs(),
      drainBudgetMs: 25_000,
    },
  );
  await clock.advance(1000);
  void drain.begin('request');
  await clock.advance(300);
  clock.wallAheadMs = -3_600_000;
  assert.equal(view.agent().uptimeMs, 1300);
  const shown = view.life().drain;
  assert.equal(shown?.elapsedMs, 300);
  const active = shown.phases.find(({ state }) => state === 'active');
  assert.deepEqual([active?.phase, active?.durationMs], ['lame_duck', 300]);
});
