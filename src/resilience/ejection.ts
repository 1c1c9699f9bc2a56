// Ejection: taking a failing instance out of the rotation and letting it back, as a state machine without timers.
import type { Random } from '../core/random.ts';

export interface EjectionOptions {
  /** Consecutive failures of a reachable instance that eject it. */
  readonly afterFailures: number;
  /** The first ejection's time; doubles with each further one, up to the maximum. */
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * - `in`: gets requests. `round` counts the ejections that have not been lived down.
 * - `ejected`: gets none until a probe at `untilMs`.
 * - `probing`: a probe is under way; still gets none.
 */
export type EjectionState =
  | { readonly kind: 'in'; failures: number; readonly round: number; readonly sinceMs: number }
  | {
      readonly kind: 'ejected';
      readonly round: number;
      readonly untilMs: number;
      readonly cause: string;
    }
  | { readonly kind: 'probing'; readonly round: number; readonly cause: string };

/** Ejection times are spread by ± this share, so that agents do not probe in step. */
const jitter = 0.25;

export class Ejection {
  readonly #options: EjectionOptions;
  readonly #random: Random;
  #state: EjectionState = { kind: 'in', failures: 0, round: 0, sinceMs: 0 };

  constructor(options: EjectionOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  get state(): EjectionState {
    return this.#state;
  }

  succeeded(): void {
    if (this.#state.kind === 'in') this.#state.failures = 0;
  }

  /** A reachable instance failed; true when that makes it due for ejection. */
  failed(): boolean {
    if (this.#state.kind !== 'in') return false;
    this.#state.failures++;
    return this.#state.failures >= this.#options.afterFailures;
  }

  /** in → ejected; returns how long, or undefined when it already was out. */
  eject(cause: string, nowMs: number): number | undefined {
    if (this.#state.kind !== 'in') return undefined;
    return this.#putOut(this.#roundAfter(nowMs), cause, nowMs);
  }

  /** ejected → probing. */
  probe(): void {
    const { kind, round } = this.#state;
    if (kind === 'ejected') this.#state = { kind: 'probing', round, cause: this.#state.cause };
  }

  /** probing → ejected, for longer than before; returns how long. */
  probeFailed(cause: string, nowMs: number): number | undefined {
    if (this.#state.kind !== 'probing') return undefined;
    return this.#putOut(this.#state.round + 1, cause, nowMs);
  }

  /** probing or ejected → in, on trial: it can connect, but one more failure puts it out again. */
  readmit(nowMs: number): void {
    const { kind, round } = this.#state;
    if (kind === 'in') return;
    this.#state = { kind: 'in', failures: this.#options.afterFailures - 1, round, sinceMs: nowMs };
  }

  #putOut(round: number, cause: string, nowMs: number): number {
    const fullMs = Math.min(this.#options.maxMs, this.#options.minMs * 2 ** (round - 1));
    const durationMs = fullMs * (1 + jitter * (2 * this.#random() - 1));
    this.#state = { kind: 'ejected', round, untilMs: nowMs + durationMs, cause };
    return durationMs;
  }

  /** An instance that stayed in for as long as the longest ejection has lived its past down. */
  #roundAfter(nowMs: number): number {
    if (this.#state.kind !== 'in') return this.#state.round + 1;
    return nowMs - this.#state.sinceMs > this.#options.maxMs ? 1 : this.#state.round + 1;
  }
}
