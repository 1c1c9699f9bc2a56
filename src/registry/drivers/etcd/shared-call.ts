// One call that several callers wait for together.
import { isTimeout, untilAborted } from './abort.ts';

/**
 * `begin` is called once, at once. Each caller may leave; the call ends when the last one has left, or when one of them has
 * waited for as long as it may: else a call that hangs would go on for as long as new callers join it.
 */
export class SharedCall<T> {
  readonly #ending = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;
  #settled = false;

  constructor(begin: (signal: AbortSignal) => Promise<T>) {
    this.#result = begin(this.#ending.signal).finally(() => {
      this.#settled = true;
    });
    // Its failure concerns those who wait for it.
    this.#result.catch(() => undefined);
  }

  /** It has ended or has been given up: too late to join. */
  get isOver(): boolean {
    return this.#settled || this.#ending.signal.aborted;
  }

  /** The call's result; rejects as soon as the signal aborts. */
  async join(signal: AbortSignal): Promise<T> {
    this.#waiting++;
    try {
      return await untilAborted(this.#result, signal);
    } finally {
      this.#waiting--;
      const leaves = signal.aborted && (this.#waiting === 0 || isTimeout(signal));
      if (leaves) this.#ending.abort(signal.reason);
    }
  }
}
