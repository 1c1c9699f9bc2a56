// A pause of a loop: it ends by time, by a wake-up or by its signal, and its timer never outlives it.
import type { Clock } from '../core/clock.ts';

export class Pause {
  readonly #clock: Clock;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `delayMs`, or earlier by `wake` or the signal; never rejects. One call at a time. */
  for(delayMs: number, signal: AbortSignal): Promise<void> {
    if (delayMs <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.after(delayMs, end);
      signal.addEventListener('abort', end);
      this.#end = end;
    });
  }

  /** Ends the current pause, if there is one. */
  wake(): void {
    this.#end();
  }
}
