// Drain: the one way in which the agent ends, phase by phase, whatever the cause.
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/**
 * What the phases do. The drain bounds each step's time and logs its failure, so a step may throw, reject or hang; one that is
 * cut at its budget goes on unwatched.
 */
export interface DrainSteps {
  /** Whether other agents may know an instance of this one; asked once, before the deregistration. */
  isRegistered(): boolean;
  /** Tells everyone who asks that the agent is going: readiness turns to 503. */
  announce(): void;
  /** Takes every lease back, with its retry within the time given. Rejects when one may be left. */
  deregister(timeoutMs: number): Promise<void>;
  /** Asks the supervised app to end, kills it after the grace; resolves when it has ended or there is none. */
  stopApp(graceMs: number): Promise<void>;
  /** Accepts no new outbound connection; resolves when the open requests have ended, or cuts them at the time-out. */
  finish(timeoutMs: number): Promise<void>;
  /** Ends at once everything that is left, the app included, and the app first. */
  close(): Promise<void>;
}

export interface DrainDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly steps: DrainSteps;
}

export interface DrainOptions {
  /** How long other agents may need to learn of the deregistration; at most half of the time left is spent on it. */
  readonly delayMs: number;
  /** Budget of the whole drain. */
  readonly timeoutMs: number;
  /** A registry that is down delays the exit by no more than this. */
  readonly deregisterTimeoutMs?: number;
}

/** `request`: the drain command. `app_exit`: the supervised app has ended by itself. `failure`: the agent cannot go on. */
export type DrainCause = 'SIGTERM' | 'SIGINT' | 'request' | 'app_exit' | 'failure';

export type DrainPhase = 'announce' | 'deregister' | 'lame_duck' | 'stop_app' | 'finish' | 'exit';

/** `cut`: not done within its budget. `forced`: cut by a second signal. `skipped`: there was no need for it. */
export type PhaseOutcome = 'done' | 'failed' | 'cut' | 'forced' | 'skipped';

interface PhaseTiming {
  readonly phase: DrainPhase;
  readonly outcome: PhaseOutcome;
  /** On the clock. */
  readonly startedAtMs: number;
  readonly durationMs: number;
}

interface Begun {
  readonly cause: DrainCause;
  /** On the clock. */
  readonly startedAtMs: number;
  /** The phases that have ended, in order. */
  readonly phases: readonly PhaseTiming[];
}

export type DrainState =
  | { readonly kind: 'running' }
  | (Begun & { readonly kind: 'draining'; readonly phase: DrainPhase })
  | (Begun & { readonly kind: 'stopped' });

const defaultDeregisterTimeoutMs = 2000;

/** Held back from each phase for every phase after it, so that a slow one leaves time to end properly; at most 10 % each. */
const reserveMaxMs = 500;

/** Closing is quick; what hangs in it is given up. */
const closeMaxMs = 2000;

/**
 * announce → deregister → lame duck → stop the app → finish → exit, within `timeoutMs` altogether. A step that fails or hangs
 * is logged, and the drain goes on with the next one.
 */
export class Drain {
  readonly #deps: DrainDependencies;
  readonly #delayMs: number;
  readonly #timeoutMs: number;
  readonly #deregisterTimeoutMs: number;
  readonly #reserveMs: number;
  readonly #forced = new AbortController();
  readonly #appGone = new AbortController();
  #state: DrainState = { kind: 'running' };
  #deadlineMs = Infinity;
  #stopped: Promise<void> | undefined;

  constructor(deps: DrainDependencies, options: DrainOptions) {
    this.#deps = deps;
    this.#delayMs = options.delayMs;
    this.#timeoutMs = options.timeoutMs;
    this.#deregisterTimeoutMs = options.deregisterTimeoutMs ?? defaultDeregisterTimeoutMs;
    this.#reserveMs = Math.min(reserveMaxMs, options.timeoutMs / 10);
  }

  get state(): DrainState {
    return this.#state;
  }

  /**
   * Begins to drain; the announcement has been made when this returns. Resolves when all is done, never rejects. A later call
   * returns the same promise; with `app_exit` it ends the lame duck, for there is nothing left that could be called.
   */
  begin(cause: DrainCause): Promise<void> {
    if (cause === 'app_exit') this.#appGone.abort();
    this.#stopped ??= this.#run(cause);
    return this.#stopped;
  }

  /** Leaves out all waiting and goes to the exit phase, which is bounded by half a second. Nothing before `begin`. */
  force(): void {
    if (this.#state.kind === 'draining') this.#forced.abort();
  }

  async #run(cause: DrainCause): Promise<void> {
    const { clock, logger, steps } = this.#deps;
    this.#deadlineMs = clock.nowMs() + this.#timeoutMs;
    this.#state = {
      kind: 'draining',
      phase: 'announce',
      cause,
      startedAtMs: clock.nowMs(),
      phases: [],
    };
    logger.info({ cause, timeoutMs: this.#timeoutMs }, 'draining');

    await this.#phase('announce', this.#leftMs(5), async () => {
      steps.announce();
    });
    let registered = true;
    const deregisterMs = Math.min(this.#deregisterTimeoutMs, this.#leftMs(4));
    await this.#phase('deregister', deregisterMs, async () => {
      registered = steps.isRegistered();
      await steps.deregister(deregisterMs);
    });
    await this.#lameDuck(registered);
    // The time held back for the phase itself is for the kill at the end of the grace.
    const graceMs = this.#leftMs(3);
    await this.#phase('stop_app', this.#leftMs(2), () => steps.stopApp(graceMs));
    const finishMs = this.#leftMs(1);
    await this.#phase('finish', finishMs, () => steps.finish(finishMs));
    await this.#exit();
  }

  /** Needed only while somebody may still call the app. */
  async #lameDuck(registered: boolean): Promise<void> {
    const budgetMs = this.#leftMs(3);
    const delayMs = Math.min(this.#delayMs, budgetMs / 2);
    if (!registered || this.#appGone.signal.aborted || delayMs <= 0) {
      this.#skip('lame_duck');
      return;
    }
    const over = AbortSignal.any([this.#appGone.signal, this.#forced.signal]);
    await this.#phase('lame_duck', budgetMs, () =>
      this.#deps.clock.sleep(delayMs, over).catch(() => undefined),
    );
  }

  /** Raced with the second signal only when that has not come yet; then it has a short time of its own. */
  async #exit(): Promise<void> {
    const { logger, steps } = this.#deps;
    const budgetMs = this.#forced.signal.aborted
      ? this.#reserveMs
      : Math.min(closeMaxMs, this.#leftMs(0));
    const enteredAtMs = this.#enter('exit');
    this.#record('exit', enteredAtMs, await this.#bounded('exit', budgetMs, () => steps.close()));
    if (this.#state.kind !== 'draining') return;
    const { cause, startedAtMs, phases } = this.#state;
    this.#state = { kind: 'stopped', cause, startedAtMs, phases };
    logger.info({ cause }, 'stopped');
  }

  async #phase(phase: DrainPhase, budgetMs: number, step: () => Promise<void>): Promise<void> {
    if (this.#forced.signal.aborted) return;
    const enteredAtMs = this.#enter(phase);
    this.#record(phase, enteredAtMs, await this.#bounded(phase, budgetMs, step));
  }

  #skip(phase: DrainPhase): void {
    if (this.#forced.signal.aborted) return;
    this.#record(phase, this.#enter(phase), 'skipped');
  }

  /** Returns when that was, on the clock. */
  #enter(phase: DrainPhase): number {
    if (this.#state.kind === 'draining') this.#state = { ...this.#state, phase };
    return this.#deps.clock.nowMs();
  }

  #record(phase: DrainPhase, startedAtMs: number, outcome: PhaseOutcome): void {
    const { clock, logger } = this.#deps;
    const durationMs = clock.nowMs() - startedAtMs;
    const timing = { phase, outcome, startedAtMs, durationMs };
    let cause: DrainCause | undefined;
    if (this.#state.kind === 'draining') {
      ({ cause } = this.#state);
      this.#state = { ...this.#state, phases: [...this.#state.phases, timing] };
    }
    // Why the app has ended should not be buried under how the agent follows it, unless that goes wrong.
    const isByApp = cause === 'app_exit' || cause === 'failure';
    const isRoutine = outcome === 'skipped' || (isByApp && outcome === 'done');
    const fields = { phase, outcome, durationMs: Math.round(durationMs) };
    logger[isRoutine ? 'debug' : 'info'](fields, 'drain phase ended');
  }

  /** Runs the step until it ends, its budget is spent or a second signal comes; an abandoned step can do no harm. */
  #bounded(
    phase: DrainPhase,
    budgetMs: number,
    step: () => Promise<void>,
  ): Promise<'done' | 'failed' | 'cut' | 'forced'> {
    const { clock, logger } = this.#deps;
    const forced = this.#forced.signal;
    return new Promise((resolve) => {
      const settle = (outcome: 'done' | 'failed' | 'cut' | 'forced'): void => {
        timer.cancel();
        forced.removeEventListener('abort', onForce);
        resolve(outcome);
      };
      const onForce = (): void => {
        settle('forced');
      };
      const timer = clock.after(budgetMs, () => {
        settle('cut');
      });
      forced.addEventListener('abort', onForce);
      runStep(step).then(
        () => {
          settle('done');
        },
        (error: unknown) => {
          logger.warn({ phase, error: messageOf(error) }, 'a drain phase failed');
          settle('failed');
        },
      );
    });
  }

  /** What is left of the whole budget, less what is held back for later phases. */
  #leftMs(laterPhases: number): number {
    const leftMs = this.#deadlineMs - this.#deps.clock.nowMs();
    return Math.max(0, leftMs - laterPhases * this.#reserveMs);
  }
}

/** A step that throws at once rejects like any other. */
async function runStep(step: () => Promise<void>): Promise<void> {
  await step();
}
