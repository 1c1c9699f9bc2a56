// Conflation: of changes that come in quick succession only the latest list is worked on.
import type { Clock, Timer } from '../core/clock.ts';
import type { Reading } from './driver.ts';

interface ConflaterDeps {
  readonly clock: Clock;
  readonly deliver: (reading: Reading) => void;
}

/** Delivers the first reading at once, and then at most one, the latest, in each window. */
export class Conflater {
  readonly #deps: ConflaterDeps;
  readonly #windowMs: number;
  #window: Timer | undefined;
  #waiting: Reading | undefined;

  constructor(deps: ConflaterDeps, options: { readonly windowMs: number }) {
    this.#deps = deps;
    this.#windowMs = options.windowMs;
  }

  offer(reading: Reading): void {
    this.#waiting = this.#waiting === undefined ? reading : merge(this.#waiting, reading);
    if (this.#window === undefined) this.#deliver();
  }

  /** Delivers what still waits and ends the window. */
  flush(): void {
    this.#window?.cancel();
    this.#window = undefined;
    const reading = this.#waiting;
    this.#waiting = undefined;
    if (reading !== undefined) this.#deps.deliver(reading);
  }

  #deliver(): void {
    this.flush();
    this.#window = this.#deps.clock.after(this.#windowMs, () => {
      this.#window = undefined;
      if (this.#waiting !== undefined) this.#deliver();
    });
  }
}

/** The later list with all that both tell of how it came about. */
function merge(earlier: Reading, later: Reading): Reading {
  const departed = new Set([...(earlier.departed ?? []), ...(later.departed ?? [])]);
  const reset = earlier.reset === true || later.reset === true;
  return { ...later, departed, reset };
}
