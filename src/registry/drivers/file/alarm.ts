// A wait that ends at its time or when somebody rings.
import type { Clock } from '../../../core/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  #state: { readonly at: 'rest' } | { readonly at: 'rung' } | Waiting = { at: 'rest' };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the present wait, or the next one before it begins. */
  ring(): void {
    const state = this.#state;
    if (state.at === 'waiting') state.end();
    else this.#state = { at: 'rung' };
  }

  /** Resolves at that monotonic time or at a ring, whichever is first. One caller at a time. */
  waitUntil(atMs: number): Promise<void> {
    return new Promise((resolve) => {
      const delayMs = atMs - this.#clock.nowMs();
      if (this.#state.at === 'rung' || delayMs <= 0) {
        this.#state = { at: 'rest' };
        resolve();
        return;
      }
      const timer = this.#clock.after(delayMs, () => this.ring());
      const end = (): void => {
        timer.cancel();
        this.#state = { at: 'rest' };
        resolve();
      };
      this.#state = { at: 'waiting', end };
    });
  }
}

interface Waiting {
  readonly at: 'waiting';
  end(): void;
}
