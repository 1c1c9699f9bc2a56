// HealthCheck: asks the local app's probes again and again and says whether the app may be called.
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { formatDurationMs } from '../core/durations.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { between, type Random } from '../core/random.ts';
import {
  afterRound,
  isChanging,
  startingAt,
  type DampingRules,
  type FailingProbe,
  type HealthState,
} from './damping.ts';
import type { Probe, ProbeResult } from './probe.ts';

export interface HealthTiming extends DampingRules {
  /** From the begin of one round to the begin of the next, ± 10 %. */
  readonly intervalMs: number;
  /** After this time a probe without a result has failed. */
  readonly timeoutMs: number;
}

export interface HealthCheckDependencies {
  /** All must pass. Those of one round run at the same time. */
  readonly probes: readonly Probe[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Called at each change of the state's kind, after `state` has changed. */
export type HealthListener = (state: HealthState) => void;

export interface ProbeCount {
  readonly probe: string;
  readonly passed: number;
  readonly failed: number;
}

/** The longest interval while the state is changing. */
const changingIntervalMs = 500;
const jitter = 0.1;

/**
 * Begins in the state `starting`; the start period counts from `start()`, which makes the first round begin at once and does
 * not wait for it. Rounds never overlap. After `close()` the state no longer changes and no listener is called.
 */
export class HealthCheck implements Component {
  readonly #deps: HealthCheckDependencies;
  readonly #timing: HealthTiming;
  readonly #counts: { readonly probe: string; passed: number; failed: number }[];
  readonly #listeners = new Set<HealthListener>();
  readonly #closing = new AbortController();
  #state: HealthState;
  #rounds: Promise<void> | undefined;

  constructor(deps: HealthCheckDependencies, timing: HealthTiming) {
    this.#deps = deps;
    this.#timing = timing;
    this.#counts = deps.probes.map(({ name }) => ({ probe: name, passed: 0, failed: 0 }));
    this.#state = startingAt(deps.clock.nowMs());
  }

  get state(): HealthState {
    return this.#state;
  }

  get healthy(): boolean {
    return this.#state.kind === 'healthy';
  }

  /** Results since the start, in the order of the probes. */
  get counts(): readonly ProbeCount[] {
    return this.#counts;
  }

  /** Returns the function that ends the subscription. The listener is not called for the present state. */
  onChange(listener: HealthListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    if (this.#rounds !== undefined || this.#closing.signal.aborted) return;
    this.#state = startingAt(this.#deps.clock.nowMs());
    this.#rounds = this.#runRounds(this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the health check was closed'));
    await this.#rounds;
  }

  async #runRounds(closing: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      const startedAtMs = clock.nowMs();
      const results = await this.#askAll(closing);
      if (closing.aborted) return;
      this.#conclude(results);
      const pauseMs = startedAtMs + this.#intervalMs() - clock.nowMs();
      try {
        await clock.sleep(Math.max(0, pauseMs), closing);
      } catch {
        return; // closed
      }
    }
  }

  #intervalMs(): number {
    const { intervalMs } = this.#timing;
    const plainMs = isChanging(this.#state) ? Math.min(changingIntervalMs, intervalMs) : intervalMs;
    return plainMs * between(this.#deps.random, 1 - jitter, 1 + jitter);
  }

  async #askAll(closing: AbortSignal): Promise<readonly ProbeResult[]> {
    const { clock, probes } = this.#deps;
    const { timeoutMs } = this.#timing;
    const round = new AbortController();
    const onClose = (): void => {
      round.abort(closing.reason);
    };
    closing.addEventListener('abort', onClose);
    const timer = clock.after(timeoutMs, () => {
      round.abort(new Error(`no answer within ${formatDurationMs(timeoutMs)}`));
    });
    const results = await Promise.all(probes.map((probe) => ask(probe, round.signal)));
    timer.cancel();
    closing.removeEventListener('abort', onClose);
    return results;
  }

  #conclude(results: readonly ProbeResult[]): void {
    const failing: FailingProbe[] = [];
    const unasked: string[] = [];
    for (const [index, count] of this.#counts.entries()) {
      const result = results[index];
      if (result?.ok === false) {
        count.failed++;
        failing.push({ probe: count.probe, refused: result.refused, cause: result.cause });
      } else if (result?.ok === true) count.passed++;
      else if (result !== undefined) unasked.push(result.cause);
    }
    if (failing.length > 0) this.#deps.logger.debug({ failing }, 'health check failed');
    else if (unasked.length > 0) {
      this.#deps.logger.warn({ causes: unasked }, 'the app could not be checked');
      return;
    }
    const before = this.#state;
    const round = { atMs: this.#deps.clock.nowMs(), failing };
    this.#state = afterRound(before, round, this.#timing);
    if (this.#state.kind !== before.kind) this.#announce(this.#state);
  }

  #announce(state: HealthState): void {
    const { logger } = this.#deps;
    if (state.kind === 'healthy') logger.info({}, 'the app is healthy');
    else logger.warn({ failing: state.failing }, 'the app is unhealthy');
    for (const listener of [...this.#listeners]) {
      try {
        listener(state);
      } catch (error) {
        // The checks must go on: the next change is announced again.
        logger.error({ error: messageOf(error) }, 'a listener of the health check failed');
      }
    }
  }
}

/** A probe that breaks its contract and throws has failed; it must not end the checks. */
async function ask(probe: Probe, signal: AbortSignal): Promise<ProbeResult> {
  try {
    return await probe.run(signal);
  } catch (error) {
    return { ok: false, refused: false, cause: messageOf(error) };
  }
}
