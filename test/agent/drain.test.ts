// The drain on a fake clock: order, budgets, failures, the second signal.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { Drain, type DrainOptions, type DrainSteps } from '../../src/agent/drain.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

const options: DrainOptions = { delayMs: 1000, timeoutMs: 25_000 };

/** Steps that note when they were called and with which budget, and do as the test says. */
class ScriptedSteps implements DrainSteps {
  readonly calls: string[] = [];
  registered = true;
  readonly behaviour: Partial<Record<keyof DrainSteps, (ms: number) => Promise<void>>> = {};

  isRegistered(): boolean {
    return this.registered;
  }
  announce(): void {
    this.calls.push('announce');
    void this.behaviour.announce?.(0);
  }
  deregister(timeoutMs: number): Promise<void> {
    return this.#step('deregister', timeoutMs);
  }
  stopApp(graceMs: number): Promise<void> {
    return this.#step('stopApp', graceMs);
  }
  finish(timeoutMs: number): Promise<void> {
    return this.#step('finish', timeoutMs);
  }
  close(): Promise<void> {
    return this.#step('close');
  }

  #step(name: keyof DrainSteps, ms?: number): Promise<void> {
    this.calls.push(ms === undefined ? name : `${name}(${ms})`);
    return this.behaviour[name]?.(ms ?? 0) ?? Promise.resolve();
  }
}

const hang = (): Promise<void> => new Promise(() => undefined);
const reject = (): Promise<void> => Promise.reject(new Error('broken'));
const throwAtOnce = (): Promise<void> => {
  throw new Error('broken');
};

function setUp(overrides: Partial<DrainOptions> = {}) {
  const clock = new FakeClock();
  const steps = new ScriptedSteps();
  const drain = new Drain({ clock, logger: silentLogger, steps }, { ...options, ...overrides });
  return { clock, steps, drain };
}

/** `phase outcome durationMs` of each phase that has ended. */
function phasesOf({ state }: Drain): string[] {
  if (state.kind === 'running') return [];
  return state.phases.map(({ phase, outcome, durationMs }) => `${phase} ${outcome} ${durationMs}`);
}

describe('Drain', () => {
  it('takes its phases in order, each within what is left', async () => {
    const { clock, steps, drain } = setUp();
    assert.deepEqual(drain.state, { kind: 'running' });
    const stopped = drain.begin('SIGTERM');
    await clock.advance(999);
    assert.deepEqual(steps.calls, ['announce', 'deregister(2000)']);
    await clock.advance(1);
    await stopped;
    assert.deepEqual(steps.calls, [
      'announce',
      'deregister(2000)',
      'stopApp(22500)',
      'finish(23500)',
      'close',
    ]);
    assert.deepEqual(phasesOf(drain), [
      'announce done 0',
      'deregister done 0',
      'lame_duck done 1000',
      'stop_app done 0',
      'finish done 0',
      'exit done 0',
    ]);
    assert.equal(drain.state.kind, 'stopped');
    assert.equal(clock.pendingTimers, 0);
  });

  it('has announced when begin returns', () => {
    const { steps, drain } = setUp();
    void drain.begin('SIGTERM');
    assert.equal(steps.calls[0], 'announce');
    assert.equal(drain.state.kind, 'draining');
  });

  it('shows cause, phase and times', async () => {
    const { clock, drain } = setUp();
    const startedAtMs = clock.nowMs();
    void drain.begin('request');
    await clock.advance(400);
    const { state } = drain;
    assert.equal(state.kind, 'draining');
    assert.deepEqual(
      [state.cause, state.phase, state.startedAtMs],
      ['request', 'lame_duck', startedAtMs],
    );
    await clock.advance(600);
    assert.equal(drain.state.kind, 'stopped');
    assert.deepEqual(
      drain.state.phases.map((timing) => timing.startedAtMs - startedAtMs),
      [0, 0, 0, 1000, 1000, 1000],
    );
  });

  it('begins once', async () => {
    const { clock, steps, drain } = setUp();
    const first = drain.begin('SIGTERM');
    assert.equal(drain.begin('request'), first);
    await clock.advance(1000);
    assert.equal(drain.begin('SIGINT'), first);
    await first;
    assert.equal(steps.calls.length, 5);
    assert.equal(drain.state.kind === 'stopped' && drain.state.cause, 'SIGTERM');
  });

  it('gives a registry that is down 2 s and no more', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.deregister = hang;
    void drain.begin('SIGTERM');
    await clock.advance(1999);
    assert.deepEqual(phasesOf(drain), ['announce done 0']);
    await clock.advance(1001);
    assert.deepEqual(phasesOf(drain)[1], 'deregister cut 2000');
    assert.equal(drain.state.kind, 'stopped');
  });

  it('gives the deregistration another budget when told so', async () => {
    const { clock, steps, drain } = setUp({ deregisterTimeoutMs: 300 });
    void drain.begin('SIGTERM');
    await clock.advance(0);
    assert.equal(steps.calls[1], 'deregister(300)');
    await clock.advance(1000);
  });

  it('is no lame duck when nobody knows an instance', async () => {
    const { clock, steps, drain } = setUp();
    steps.registered = false;
    void drain.begin('SIGTERM');
    await clock.advance(0);
    assert.equal(drain.state.kind, 'stopped');
    assert.equal(phasesOf(drain)[2], 'lame_duck skipped 0');
  });

  it('is no lame duck when the app has ended by itself', async () => {
    const { clock, steps, drain } = setUp();
    void drain.begin('app_exit');
    await clock.advance(0);
    assert.equal(drain.state.kind, 'stopped');
    assert.equal(phasesOf(drain)[2], 'lame_duck skipped 0');
    assert.ok(steps.calls.includes('deregister(2000)'));
  });

  it('ends the lame duck when the app ends in it', async () => {
    const { clock, drain } = setUp();
    void drain.begin('SIGTERM');
    await clock.advance(300);
    void drain.begin('app_exit');
    await clock.advance(0);
    assert.equal(drain.state.kind, 'stopped');
    assert.equal(phasesOf(drain)[2], 'lame_duck done 300');
    assert.equal(clock.pendingTimers, 0);
  });

  it('skips the lame duck when the app ended during the deregistration', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.deregister = () => clock.sleep(500);
    void drain.begin('SIGTERM');
    await clock.advance(100);
    void drain.begin('app_exit');
    await clock.advance(400);
    assert.equal(phasesOf(drain)[2], 'lame_duck skipped 0');
    assert.equal(drain.state.kind, 'stopped');
  });

  it('leaves half of the time to the app when the delay is longer than the whole drain', async () => {
    const { clock, steps, drain } = setUp({ delayMs: 60_000, timeoutMs: 25_000 });
    void drain.begin('SIGTERM');
    await clock.advance(11_750);
    assert.equal(phasesOf(drain)[2], 'lame_duck done 11750');
    assert.equal(steps.calls[2], 'stopApp(11750)');
  });

  for (const [how, behaviour] of [
    ['rejects', reject],
    ['throws', throwAtOnce],
  ] as const) {
    it(`goes on when a step ${how}`, async () => {
      const { clock, steps, drain } = setUp();
      for (const name of ['deregister', 'stopApp', 'finish', 'close'] as const) {
        steps.behaviour[name] = behaviour;
      }
      const stopped = drain.begin('SIGTERM');
      await clock.advance(1000);
      await stopped;
      assert.deepEqual(phasesOf(drain), [
        'announce done 0',
        'deregister failed 0',
        'lame_duck done 1000',
        'stop_app failed 0',
        'finish failed 0',
        'exit failed 0',
      ]);
    });
  }

  it('goes on when the announcement throws', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.announce = throwAtOnce;
    void drain.begin('SIGTERM');
    await clock.advance(1000);
    assert.equal(phasesOf(drain)[0], 'announce failed 0');
    assert.equal(drain.state.kind, 'stopped');
  });

  it('ends within its budget though every step hangs, and gives each its time', async () => {
    const { clock, steps, drain } = setUp();
    for (const name of ['deregister', 'stopApp', 'finish', 'close'] as const) {
      steps.behaviour[name] = hang;
    }
    void drain.begin('SIGTERM');
    await clock.advance(24_999);
    assert.equal(drain.state.kind, 'draining');
    await clock.advance(1);
    assert.equal(drain.state.kind, 'stopped');
    assert.deepEqual(phasesOf(drain), [
      'announce done 0',
      'deregister cut 2000',
      'lame_duck done 1000',
      'stop_app cut 21000',
      'finish cut 500',
      'exit cut 500',
    ]);
    // The app is killed half a second before its phase is cut.
    assert.equal(steps.calls[2], 'stopApp(20500)');
    assert.equal(clock.pendingTimers, 0);
  });

  it('gives closing no more than 2 s', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.close = hang;
    void drain.begin('app_exit');
    await clock.advance(2000);
    assert.equal(phasesOf(drain).at(-1), 'exit cut 2000');
    assert.equal(drain.state.kind, 'stopped');
  });

  it('scales what it holds back to a short budget', async () => {
    const { clock, steps, drain } = setUp({ timeoutMs: 1000, delayMs: 0 });
    for (const name of ['stopApp', 'finish', 'close'] as const) steps.behaviour[name] = hang;
    void drain.begin('SIGTERM');
    await clock.advance(1000);
    assert.equal(drain.state.kind, 'stopped');
    assert.deepEqual(phasesOf(drain).slice(3), [
      'stop_app cut 800',
      'finish cut 100',
      'exit cut 100',
    ]);
  });

  for (const { during, afterMs, calls } of [
    { during: 'deregister', afterMs: 100, calls: 2 },
    { during: 'lame_duck', afterMs: 2100, calls: 2 },
    { during: 'stop_app', afterMs: 3100, calls: 3 },
    { during: 'finish', afterMs: 24_200, calls: 4 },
  ]) {
    it(`goes to the exit at once when forced in ${during}`, async () => {
      const { clock, steps, drain } = setUp();
      for (const name of ['deregister', 'stopApp', 'finish'] as const) steps.behaviour[name] = hang;
      void drain.begin('SIGTERM');
      await clock.advance(afterMs);
      assert.equal(drain.state.kind === 'draining' && drain.state.phase, during);
      assert.equal(steps.calls.length, calls);
      drain.force();
      await settle();
      assert.equal(drain.state.kind, 'stopped');
      assert.equal(steps.calls.at(-1), 'close');
      assert.equal(steps.calls.length, calls + 1);
      assert.match(phasesOf(drain).at(-2) ?? '', new RegExp(`^${during} forced`));
      assert.equal(clock.pendingTimers, 0);
    });
  }

  it('bounds closing by half a second once it is forced', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.close = hang;
    void drain.begin('SIGTERM');
    await clock.advance(100);
    drain.force();
    await clock.advance(499);
    assert.equal(drain.state.kind, 'draining');
    await clock.advance(1);
    assert.equal(drain.state.kind, 'stopped');
  });

  it('stops at once when it is forced while closing', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.close = hang;
    void drain.begin('app_exit');
    await clock.advance(100);
    drain.force();
    await settle();
    assert.equal(phasesOf(drain).at(-1), 'exit forced 100');
    assert.equal(drain.state.kind, 'stopped');
  });

  it('cannot be forced before it has begun', async () => {
    const { clock, drain } = setUp();
    drain.force();
    assert.deepEqual(drain.state, { kind: 'running' });
    void drain.begin('SIGTERM');
    await clock.advance(500);
    assert.equal(drain.state.kind === 'draining' && drain.state.phase, 'lame_duck');
    await clock.advance(500);
  });

  it('is not harmed by a step that fails after it was cut', async () => {
    const { clock, steps, drain } = setUp();
    steps.behaviour.deregister = async () => {
      await clock.sleep(2500);
      throw new Error('late');
    };
    void drain.begin('SIGTERM');
    await clock.advance(5000);
    assert.equal(phasesOf(drain)[1], 'deregister cut 2000');
    assert.equal(drain.state.kind, 'stopped');
  });
});
