// Whether etcd could be used lately: leases that end around an outage prove nothing, as nobody could keep them alive.
import type { Clock } from '../../../core/clock.ts';

type TroubleState = { readonly kind: 'none'; readonly sinceMs: number } | { readonly kind: 'now' };

export class Trouble {
  readonly #clock: Clock;
  #state: TroubleState = { kind: 'none', sinceMs: -Infinity };

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** A call had no answer, or the watch was lost. */
  begin(): void {
    this.#state = { kind: 'now' };
  }

  /** A call was answered. */
  end(): void {
    if (this.#state.kind === 'now') {
      this.#state = { kind: 'none', sinceMs: this.#clock.nowMs() };
    }
  }

  /** There is trouble now, or it ended less than `durationMs` ago. */
  isWithin(durationMs: number): boolean {
    return this.#state.kind === 'now' || this.#clock.nowMs() - this.#state.sinceMs < durationMs;
  }
}
