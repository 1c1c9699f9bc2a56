// A driver as the loops use it: every operation ends in time, fails with a RegistryError only, and counts for the health.
import type { Clock } from '../core/clock.ts';
import { messageOf, RegistryError } from '../core/errors.ts';
import type { Instance } from '../core/instance.ts';
import type { Driver, FollowSink, Reading } from './driver.ts';
import type { HealthRecord, OperationKind } from './registry-health.ts';

interface BoundedDriverDeps {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly health: HealthRecord;
}

/**
 * Does not trust a driver to keep to its signal: an operation is over for the caller at its deadline or when the signal
 * aborts; what the driver answers later is ignored.
 */
export class BoundedDriver {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #health: HealthRecord;
  readonly #timeoutMs: number;

  constructor(deps: BoundedDriverDeps, options: { readonly operationTimeoutMs: number }) {
    this.#driver = deps.driver;
    this.#clock = deps.clock;
    this.#health = deps.health;
    this.#timeoutMs = options.operationTimeoutMs;
  }

  get url(): string {
    return this.#driver.url;
  }

  acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const timeoutMs = this.#leaseTimeoutMs(ttlMs);
    return this.#bound('write', timeoutMs, signal, (ending) =>
      this.#driver.acquire(instance, ttlMs, ending),
    );
  }

  renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const timeoutMs = this.#leaseTimeoutMs(ttlMs);
    return this.#bound('write', timeoutMs, signal, (ending) =>
      this.#driver.renew(instance, ttlMs, ending),
    );
  }

  release(instance: Instance, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const boundMs = Math.min(timeoutMs, this.#timeoutMs);
    return this.#bound('write', boundMs, signal, (ending) =>
      this.#driver.release(instance, ending),
    );
  }

  read(service: string, signal: AbortSignal): Promise<Reading> {
    return this.#bound('read', this.#timeoutMs, signal, (ending) =>
      this.#driver.read(service, ending),
    );
  }

  names(signal: AbortSignal): Promise<readonly string[]> {
    return this.#bound('read', this.#timeoutMs, signal, (ending) => this.#driver.names(ending));
  }

  /** Resolves soon after the signal aborts; rejects when following ended in any other way. */
  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const done = new AbortController();
    try {
      const following = this.#driver.follow(service, from, sink, signal);
      await Promise.race([following, this.#untilOverdue(signal, done.signal)]);
      throw new RegistryError('registry_invalid', 'the driver stopped following by itself');
    } catch (error) {
      if (signal.aborted) return;
      const failure = asRegistryError(error);
      // A lost place to follow from is no failure of the registry.
      if (failure.code !== 'registry_compacted') this.#health.failed('read', failure);
      throw failure;
    } finally {
      done.abort();
    }
  }

  /** A heartbeat that hangs must leave time for another one before the lease ends. */
  #leaseTimeoutMs(ttlMs: number): number {
    return Math.min(this.#timeoutMs, ttlMs / 3);
  }

  async #bound<T>(
    kind: OperationKind,
    timeoutMs: number,
    signal: AbortSignal,
    operate: (ending: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const cancelled = new RegistryError('registry_unreachable', 'cancelled');
    if (signal.aborted) throw cancelled;
    const ending = new AbortController();
    let cutOff = (error: RegistryError): void => ending.abort(error);
    const cut = new Promise<never>((_resolve, reject) => {
      cutOff = (error) => {
        reject(error);
        ending.abort(error);
      };
    });
    const onAbort = (): void => cutOff(cancelled);
    signal.addEventListener('abort', onAbort);
    const timer = this.#clock.after(timeoutMs, () => {
      cutOff(new RegistryError('registry_timeout', `no answer within ${Math.round(timeoutMs)} ms`));
    });
    try {
      const answer = await Promise.race([cut, operate(ending.signal)]);
      this.#health.ok(kind);
      return answer;
    } catch (error) {
      const failure = asRegistryError(error);
      if (failure !== cancelled) this.#health.failed(kind, failure);
      throw failure;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves when `signal` has aborted one operation timeout ago, or when `done` aborts. */
  #untilOverdue(signal: AbortSignal, done: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const onAbort = (): void => {
        const timer = this.#clock.after(this.#timeoutMs, resolve);
        done.addEventListener('abort', () => timer.cancel(), { once: true });
      };
      signal.addEventListener('abort', onAbort, { once: true, signal: done });
      if (signal.aborted) onAbort();
    });
  }
}

/** Anything else than a RegistryError is a bug of the driver; it is treated as a senseless answer. */
export function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError('registry_invalid', messageOf(error), { cause: error });
}
