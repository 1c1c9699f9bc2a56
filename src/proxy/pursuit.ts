// A Pursuit: follows an exchange's next() until an attempt can be made or the exchange gives up.
import type { Clock, Timer } from '../core/clock.ts';
import type { Attempt, Exchange, Failure } from './exchange.ts';

export interface Pursuer {
  /** Make this attempt; `advance` again when it failed. */
  attempt(attempt: Attempt): void;
  /** The agent must answer itself. */
  giveUp(failure: Failure): void;
}

export class Pursuit {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  readonly #pursuer: Pursuer;
  #timer: Timer | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(exchange: Exchange, clock: Clock, pursuer: Pursuer) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.#pursuer = pursuer;
  }

  advance(): void {
    this.stop();
    const step = this.#exchange.next();
    if (step.kind === 'attempt') this.#pursuer.attempt(step);
    else if (step.kind === 'failure') this.#pursuer.giveUp(step);
    else this.#wait(step.untilMs);
  }

  /** Ends waiting. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#unsubscribe?.();
    this.#timer = undefined;
    this.#unsubscribe = undefined;
  }

  #wait(untilMs: number): void {
    const again = (): void => {
      this.advance();
    };
    this.#timer = this.#clock.after(Math.max(0, untilMs - this.#clock.nowMs()), again);
    this.#unsubscribe = this.#exchange.upstream.onChange(again);
  }
}
