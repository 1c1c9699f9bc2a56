import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AdminServer } from '../../src/admin/server.ts';
import type { LifeStatus } from '../../src/admin/view.ts';
import type { PhaseOutcome } from '../../src/agent/drain.ts';
import { drain } from '../../src/cli/commands/drain.ts';
import { wait } from '../../src/cli/commands/wait.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ConfigError, RuntimeError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { withAdmin } from '../support/admin.ts';
import { bench, nobody, run } from '../support/client-deps.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeDrain, fakeEndpoint, fakeInstance, fakeUse, fakeView } from '../support/fake-view.ts';

describe('wait', () => {
  it('ends when each service has an instance', async () => {
    const view = fakeView({
      usedServices: () => [],
      instances: async () => ({ instances: [fakeInstance('payments-a')], malformed: 0 }),
    });
    const names = ['payments', 'orders', 'payments'];
    const text = await run(view, (deps) => wait(deps, names, { timeout: '30s' }));
    assert.equal(text, 'available: payments, orders\n');
  });

  it('keeps asking until an instance appears', async () => {
    let asked = 0;
    const view = fakeView({
      usedServices: () => [],
      instances: async () => ({
        instances: ++asked < 3 ? [] : [fakeInstance('payments-a')],
        malformed: 0,
      }),
    });
    const clock = new FakeClock();
    await withAdmin(view, async ({ address }) => {
      const deps = bench(address, { clock });
      let done = false;
      const pending = wait(deps, ['payments'], { timeout: '30s' }).finally(() => (done = true));
      await eventually('the wait ends', async () => {
        await clock.advance(250);
        return done;
      });
      await pending;
      assert.equal(asked, 3);
    });
  });

  it('waits for the agent itself', async () => {
    let port = 0;
    await withAdmin(fakeView(), async ({ address }) => void (port = address.port));
    const deps = bench({ host: '127.0.0.1', port });
    const pending = wait(deps, ['payments'], { timeout: '20s' });
    const options = { address: { host: '127.0.0.1', port }, ownHosts: [] };
    const server = new AdminServer(
      { view: fakeView(), logger: silentLogger, clock: systemClock },
      options,
    );
    await server.start();
    try {
      await pending;
      assert.equal(deps.text(), 'available: payments\n');
    } finally {
      await server.close();
    }
  });

  it('names at the time-out what is missing, and why', async () => {
    const ejected = fakeEndpoint('payments-a', { state: 'ejected', cause: 'refused' });
    const idle = { ...fakeInstance('drained-a'), weight: 0 };
    const view = fakeView({
      names: async () => ['payments', 'billing', 'drained'],
      usedServices: () => [fakeUse({ endpoints: [ejected] })],
      instances: async (service) => ({
        instances: [
          ...(service === 'payments' ? [fakeInstance('payments-a')] : []),
          ...(service === 'drained' ? [idle] : []),
        ],
        malformed: 0,
      }),
    });
    const names = ['payments', 'billing', 'drained', 'nothing'];
    await withAdmin(view, async ({ address }) => {
      const deps = bench(address);
      await assert.rejects(wait(deps, names, { timeout: '0', json: true }), {
        name: 'RuntimeError',
        message:
          'not available within 0: payments (its instances are ejected), billing (it has no instance), ' +
          'drained (it has no instance), nothing (no service is called "nothing")',
      });
      const document = JSON.parse(deps.text()) as { available: unknown; missing: unknown[] };
      assert.deepEqual([document.available, document.missing.length], [[], 4]);
    });
  });

  it('says at the time-out that there is no agent, once', async () => {
    const pending = wait(bench(nobody), ['payments', 'orders'], { timeout: '50ms' });
    await assert.rejects(pending, (error) => {
      assert.ok(error instanceof RuntimeError);
      const start = 'not available within 50ms: payments, orders: no agent answers at ';
      assert.ok(error.message.startsWith(start), error.message);
      return true;
    });
  });

  it('is a usage error for a time-out that is no duration', async () => {
    await assert.rejects(wait(bench(nobody), ['payments'], { timeout: '30' }), ConfigError);
  });
});

const phases = ['announce', 'deregister', 'lame_duck', 'stop_app', 'finish', 'exit'];

/** Draining: the first phases have ended in these ways, and one is active. */
function lifeIn(outcomes: readonly PhaseOutcome[], active: string): LifeStatus {
  const shown = phases.map((phase, index) => {
    const outcome = outcomes[index] ?? null;
    const state = outcome !== null ? 'done' : phase === active ? 'active' : 'waiting';
    return { phase, state, outcome, durationMs: (index + 1) * 10 } as const;
  });
  const status = { cause: 'request', elapsedMs: 1, budgetMs: 25_000, phases: shown };
  return { state: 'draining', drain: status };
}

describe('drain', () => {
  it('asks the agent to drain', async () => {
    let drains = 0;
    const view = fakeView({ drain: () => drains++ });
    assert.equal(await run(view, (deps) => drain(deps, {})), 'draining\n');
    assert.equal(drains, 1);
  });

  it('waits until the agent has gone, telling the phases', async () => {
    let drains = 0;
    const states = [
      lifeIn([], 'announce'),
      // Two phases have come and gone between two looks.
      lifeIn(['done', 'failed', 'skipped'], 'stop_app'),
      lifeIn(['done', 'failed', 'skipped', 'cut'], 'finish'),
    ];
    let looks = 0;
    const view = fakeView({
      drain: () => drains++,
      life: () => states[Math.min(looks++, states.length - 1)] ?? lifeIn([], 'announce'),
    });
    await withAdmin(view, async (server) => {
      const deps = bench(server.address);
      // The life is asked for before the drain as well.
      looks = -1;
      const pending = drain(deps, { wait: true });
      await eventually('the last phase was seen', () => deps.text().includes('finish'));
      await server.close();
      await pending;
      assert.deepEqual(deps.text().split('\n'), [
        'announce …',
        'announce done (10ms)',
        'deregister failed (20ms)',
        'lame_duck skipped (30ms)',
        'stop_app …',
        'stop_app cut (40ms)',
        'finish …',
        'exit …',
        'stopped',
        '',
      ]);
      assert.equal(drains, 1);
    });
  });

  for (const [what, change] of [
    ['another process', { pid: 2 }],
    ['a later one with the same pid, as in containers,', { startedAt: '2099-01-01T00:00:00.000Z' }],
  ] as const) {
    it(`takes ${what} at the address for the end of the drained one`, async () => {
      let looks = 0;
      const agent = { ...fakeView().agent(), pid: 1 };
      const view = fakeView({ agent: () => (++looks < 3 ? agent : { ...agent, ...change }) });
      const text = await run(view, (deps) => drain(deps, { wait: true, json: true }));
      assert.deepEqual(JSON.parse(text), { life: { state: 'running', drain: null } });
    });
  }

  it('gives up on an agent that stays', async () => {
    const clock = new FakeClock();
    let ended = false;
    const view = fakeView({ life: () => fakeDrain('finish') });
    await withAdmin(view, async ({ address }) => {
      const pending = drain(bench(address, { clock }), { wait: true });
      const outcome = assert
        .rejects(pending, /^RuntimeError: the agent is still there after 35s$/)
        .finally(() => (ended = true));
      await eventually('the command ends', async () => {
        await clock.advance(5000);
        return ended;
      });
      await outcome;
    });
  });
});
