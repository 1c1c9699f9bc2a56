// A bound on what is done at once; the rest waits for its turn, first come first served.
import { RegistryError } from '../../../core/errors.ts';

/** Waiting costs the server nothing, and what runs out of time while it waits was not begun. */
export class Turns {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(options: { readonly max: number }) {
    this.#free = options.max;
  }

  /** Rejects with `registry_timeout` when the signal aborts before its turn. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.#waiting.delete(begin);
        reject(new RegistryError('registry_timeout', 'too much else to be written'));
      };
      this.#waiting.add(begin);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
