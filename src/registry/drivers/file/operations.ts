// Running the driver's operations: each under its signal and the driver's end, with one kind of error.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { registryErrorOf, withinSignal } from './failure.ts';

/** `close` waits no longer for a file system that does not answer. */
const closeTimeoutMs = 1000;

export class Operations {
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #running = new Map<AbortController, Promise<unknown>>();
  #state: 'open' | 'closed' = 'open';

  constructor(clock: Clock, directory: string) {
    this.#clock = clock;
    this.#directory = directory;
  }

  /**
   * Runs `operation` with a signal that aborts with `signal`, if there is one, or on `close`; from then on its outcome is not waited for.
   * Every failure becomes a RegistryError that says what could not be done.
   */
  async run<T>(
    doing: string,
    signal: AbortSignal | undefined,
    operation: (ended: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal?.reason);
    try {
      if (this.#state === 'closed') {
        throw new RegistryError('registry_unreachable', 'the driver is closed');
      }
      if (signal?.aborted === true) abort();
      signal?.addEventListener('abort', abort, { once: true });
      const running = operation(controller.signal).finally(() => this.#running.delete(controller));
      this.#running.set(controller, running);
      return await withinSignal(controller.signal, running);
    } catch (error) {
      throw registryErrorOf(error, doing, this.#directory);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Aborts what runs and waits for its end. */
  async close(): Promise<void> {
    this.#state = 'closed';
    const ended = Promise.allSettled(this.#running.values());
    for (const controller of this.#running.keys()) controller.abort();
    const timeout = new AbortController();
    await Promise.race([
      ended,
      this.#clock.sleep(closeTimeoutMs, timeout.signal).catch(() => undefined),
    ]);
    timeout.abort();
  }
}
