// HealthCheck with scripted probes on a fake clock: rhythm, time-outs, announcements, end.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { HealthCheck, type HealthTiming } from '../../src/health/health-check.ts';
import type { Probe, ProbeResult } from '../../src/health/probe.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';

const pass: ProbeResult = { ok: true };
const fail: ProbeResult = { ok: false, refused: false, cause: 'status 500' };
const refuse: ProbeResult = { ok: false, refused: true, cause: 'connect ECONNREFUSED' };

const timing: HealthTiming = {
  intervalMs: 2000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
  startPeriodMs: 0,
};
/** The middle of the jitter: intervals are exact. */
const noJitter = (): number => 0.5;

/** Answers what `answer` is at the time, and notes when it was asked. */
class ScriptedProbe implements Probe {
  readonly name: string;
  readonly askedAtMs: number[] = [];
  answer: ProbeResult | 'hang' | 'throw' = pass;
  asking = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, name = 'scripted') {
    this.#clock = clock;
    this.name = name;
  }

  async run(signal: AbortSignal): Promise<ProbeResult> {
    this.askedAtMs.push(this.#clock.nowMs());
    if (this.answer === 'throw') throw new Error('a bug in the probe');
    if (this.answer !== 'hang') return this.answer;
    this.asking++;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        this.asking--;
        resolve({ ok: false, refused: false, cause: String(signal.reason) });
      });
    });
  }
}

function setUp(overrides: Partial<HealthTiming> = {}, random = noJitter) {
  const clock = new FakeClock();
  const probe = new ScriptedProbe(clock);
  const check = new HealthCheck(
    { probes: [probe], clock, random, logger: silentLogger },
    { ...timing, ...overrides },
  );
  const changes: string[] = [];
  check.onChange((state) => changes.push(state.kind));
  return { clock, probe, check, changes };
}

/** A check that has become healthy and whose next round begins 2 s from now. */
async function setUpHealthy() {
  const parts = setUp();
  await parts.check.start();
  await parts.clock.advance(500);
  assert.equal(parts.check.healthy, true);
  parts.changes.length = 0;
  return parts;
}

function pausesOf({ askedAtMs }: ScriptedProbe): number[] {
  return askedAtMs.slice(1).map((atMs, index) => atMs - (askedAtMs[index] ?? 0));
}

describe('HealthCheck', () => {
  it('is not healthy until `rise` rounds have passed, 500 ms apart', async () => {
    const { clock, probe, check, changes } = setUp();
    assert.equal(check.state.kind, 'starting');
    assert.deepEqual(probe.askedAtMs, [], 'nothing happens before the start');
    await check.start();
    await settle();
    assert.equal(check.healthy, false);
    await clock.advance(499);
    assert.equal(check.healthy, false);
    await clock.advance(1);
    assert.equal(check.healthy, true);
    assert.deepEqual(changes, ['healthy']);
    await check.close();
  });

  it('asks every interval while healthy and every 500 ms once a failure has come', async () => {
    const { clock, probe, check, changes } = await setUpHealthy();
    await clock.advance(4000);
    probe.answer = fail;
    await clock.advance(2000 + 500 + 500);
    assert.deepEqual(pausesOf(probe), [500, 2000, 2000, 2000, 500, 500]);
    assert.deepEqual(changes, ['unhealthy']);
    await check.close();
  });

  it('keeps to a shorter interval than 500 ms', async () => {
    const { clock, probe, check } = setUp({ intervalMs: 100 });
    await check.start();
    await clock.advance(300);
    assert.deepEqual(pausesOf(probe), [100, 100, 100]);
    await check.close();
  });

  it('is unhealthy at the first refused connection and recovers by itself', async () => {
    const { clock, probe, check, changes } = await setUpHealthy();
    probe.answer = refuse;
    await clock.advance(2000);
    assert.deepEqual(changes, ['unhealthy']);
    assert.deepEqual(check.state.failing, [
      { probe: 'scripted', refused: true, cause: 'connect ECONNREFUSED' },
    ]);
    probe.answer = pass;
    await clock.advance(1000);
    assert.deepEqual(changes, ['unhealthy', 'healthy']);
    assert.deepEqual(check.state.failing, []);
    await check.close();
  });

  it('learns nothing from a round in which it could not ask', async () => {
    const { clock, probe, check, changes } = await setUpHealthy();
    probe.answer = { ok: undefined, cause: 'connect EMFILE' };
    await clock.advance(20_000);
    assert.deepEqual(changes, []);
    assert.deepEqual(check.counts, [{ probe: 'scripted', passed: 2, failed: 0 }]);
    probe.answer = refuse;
    await clock.advance(2000);
    probe.answer = { ok: undefined, cause: 'connect EMFILE' };
    await clock.advance(20_000);
    assert.deepEqual(changes, ['unhealthy']);
    await check.close();
  });

  it('stays healthy over fewer failures than `fall`', async () => {
    const { clock, probe, check, changes } = await setUpHealthy();
    probe.answer = fail;
    await clock.advance(2500);
    probe.answer = pass;
    await clock.advance(10_000);
    assert.deepEqual(changes, []);
    await check.close();
  });

  it('counts the start period from the start', async () => {
    const { clock, probe, check, changes } = setUp({ startPeriodMs: 10_000 });
    probe.answer = refuse;
    await clock.advance(60_000);
    await check.start();
    await clock.advance(9999);
    assert.equal(check.state.kind, 'starting');
    await clock.advance(1500);
    assert.deepEqual(changes, ['unhealthy']);
    await check.close();
  });

  it('needs every probe to pass, and asks them at the same time', async () => {
    const clock = new FakeClock();
    const [one, two] = [new ScriptedProbe(clock, 'one'), new ScriptedProbe(clock, 'two')];
    two.answer = 'hang';
    one.answer = 'hang';
    const check = new HealthCheck(
      { probes: [one, two], clock, random: noJitter, logger: silentLogger },
      timing,
    );
    await check.start();
    await settle();
    assert.deepEqual([one.asking, two.asking], [1, 1]);
    one.answer = pass;
    await clock.advance(2500);
    assert.equal(check.healthy, false);
    assert.deepEqual(
      check.state.failing.map((failing) => failing.probe),
      ['two'],
    );
    two.answer = pass;
    await clock.advance(2500);
    assert.equal(check.healthy, true);
    await check.close();
  });

  it('fails a probe without an answer at the time-out, and never asks twice at once', async () => {
    const { clock, probe, check } = setUp({ intervalMs: 100 });
    probe.answer = 'hang';
    await check.start();
    await clock.advance(999);
    assert.equal(probe.asking, 1);
    assert.equal(probe.askedAtMs.length, 1);
    await clock.advance(1);
    assert.equal(probe.asking, 1, 'the next round has begun');
    assert.deepEqual(check.state.failing[0]?.cause, 'Error: no answer within 1s');
    await clock.advance(2000);
    assert.equal(check.state.kind, 'unhealthy');
    assert.deepEqual(pausesOf(probe), [1000, 1000, 1000]);
    await check.close();
  });

  it('takes a probe that throws as failed', async () => {
    const { clock, probe, check } = setUp();
    probe.answer = 'throw';
    await check.start();
    await clock.advance(1000);
    assert.equal(check.state.kind, 'unhealthy');
    assert.equal(check.state.failing[0]?.cause, 'a bug in the probe');
    await check.close();
  });

  it('counts results by probe', async () => {
    const { clock, probe, check } = await setUpHealthy();
    probe.answer = fail;
    await clock.advance(2500);
    assert.deepEqual(check.counts, [{ probe: 'scripted', passed: 2, failed: 2 }]);
    await check.close();
  });

  it('spreads its intervals over ± 10 %', async () => {
    const { clock, probe, check } = setUp({ rise: 1 }, seededRandom(7));
    await check.start();
    await clock.advance(200_000);
    const pauses = pausesOf(probe);
    assert.ok(pauses.every((pause) => pause >= 1800 && pause <= 2200));
    assert.ok(Math.min(...pauses) < 1850 && Math.max(...pauses) > 2150);
    await check.close();
  });

  it('goes on when a listener throws, and calls the others', async () => {
    const { clock, probe, check } = setUp();
    const heard: string[] = [];
    check.onChange(() => {
      throw new Error('a bug in the listener');
    });
    check.onChange(({ kind }) => heard.push(kind));
    await check.start();
    await clock.advance(500);
    probe.answer = refuse;
    await clock.advance(2000);
    assert.deepEqual(heard, ['healthy', 'unhealthy']);
    await check.close();
  });

  it('no longer calls a listener that has unsubscribed', async () => {
    const { clock, check } = setUp();
    const heard: string[] = [];
    const unsubscribe = check.onChange(({ kind }) => heard.push(kind));
    unsubscribe();
    await check.start();
    await clock.advance(500);
    assert.equal(check.healthy, true);
    assert.deepEqual(heard, []);
    await check.close();
  });

  it('leaves no timer and no probe behind when it is closed between rounds', async () => {
    const { clock, probe, check } = await setUpHealthy();
    await check.close();
    await check.close();
    assert.equal(clock.pendingTimers, 0);
    await clock.advance(10_000);
    assert.equal(probe.askedAtMs.length, 2);
  });

  it('ends the round that runs when it is closed, without a change of state', async () => {
    const { clock, probe, check, changes } = setUp({ fall: 1 });
    probe.answer = 'hang';
    await check.start();
    await settle();
    await check.close();
    assert.equal(probe.asking, 0);
    assert.equal(clock.pendingTimers, 0);
    assert.deepEqual(changes, []);
  });

  it('starts once', async () => {
    const { clock, probe, check } = setUp();
    await check.start();
    await check.start();
    await settle();
    assert.equal(probe.askedAtMs.length, 1);
    await check.close();
    await check.start();
    await clock.advance(5000);
    assert.equal(probe.askedAtMs.length, 1, 'closed is closed');
  });
});
