// Whether the agent has only just returned from an outage, when its lists may lack instances that are well.
import type { Clock } from '../../../core/clock.ts';

type State =
  | { readonly kind: 'steady' }
  | { readonly kind: 'away' }
  | { readonly kind: 'returned'; readonly untilMs: number };

/**
 * An agent that starts again takes checks whose time has passed meanwhile for critical until they are renewed, and tells the
 * catalog so some time after the catalog can be read.
 */
export class Return {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  #state: State = { kind: 'steady' };

  constructor(clock: Clock, options: { readonly leaseMs: number }) {
    this.#clock = clock;
    this.#leaseMs = options.leaseMs;
  }

  failed(): void {
    this.#state = { kind: 'away' };
  }

  /** A list was answered. Returns whether that is less than a lease time after the first one since an outage. */
  answered(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#state.kind === 'away') {
      this.#state = { kind: 'returned', untilMs: nowMs + this.#leaseMs };
    }
    if (this.#state.kind === 'returned' && nowMs >= this.#state.untilMs) {
      this.#state = { kind: 'steady' };
    }
    return this.#state.kind === 'returned';
  }
}
