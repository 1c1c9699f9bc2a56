// One connection to Redis, made at its first use and again at the first use after it was lost.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { between, type Random } from '../../../core/random.ts';
import { endsConnection, toRegistryError } from './redis-errors.ts';
import type { OpenPort, RedisPort } from './redis-port.ts';

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly open: OpenPort;
}

/** What happens on a connection beside the answers to commands. */
export interface ConnectionEvents {
  message(channel: string, text: string): void;
  /** A connection that worked has ended; commands that waited on it fail by themselves. */
  lost(error: RegistryError): void;
}

export interface ConnectionOptions {
  /** From the first packet until the database is selected, and from a command to its answer. */
  readonly timeoutMs: number;
}

type State =
  /** Until `retryAtMs` every use fails with `failure`, so that many callers do not make many attempts. */
  | { readonly kind: 'idle'; readonly retryAtMs: number; readonly failure?: RegistryError }
  | { readonly kind: 'opening'; readonly port: Promise<RedisPort>; readonly abort: AbortController }
  | { readonly kind: 'open'; readonly port: RedisPort }
  | { readonly kind: 'closed'; readonly done: Promise<void> };

/** Pause after a failed attempt; different for each agent, so that a server that returns is not met by all at once. */
const retryPauseMs = { low: 50, high: 500 };

/** Every operation fails with a RegistryError. */
export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #events: ConnectionEvents;
  readonly #timeoutMs: number;
  #state: State = { kind: 'idle', retryAtMs: -Infinity };

  constructor(deps: ConnectionDeps, events: ConnectionEvents, options: ConnectionOptions) {
    this.#deps = deps;
    this.#events = events;
    this.#timeoutMs = options.timeoutMs;
  }

  /**
   * Does one exchange with the server. When the answer does not come in time the connection is given up, since it may be
   * half open. The time is the connection's, or the caller's when its signal aborts with `registry_timeout`. A signal that
   * aborts for another reason ends only the caller's wait.
   */
  async use<T>(exchange: (port: RedisPort) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return untilAborted(this.#exchange(exchange, signal), signal);
  }

  close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'closed') return state.done;
    const done = finish(state);
    this.#state = { kind: 'closed', done };
    return done;
  }

  async #exchange<T>(
    exchange: (port: RedisPort) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const port = await this.#port();
    try {
      return await this.#inTime(exchange(port), signal);
    } catch (error) {
      const failure = toRegistryError(error);
      if (endsConnection(failure)) this.#lose(port, failure);
      throw failure;
    }
  }

  #port(): Promise<RedisPort> {
    const state = this.#state;
    switch (state.kind) {
      case 'open':
        return Promise.resolve(state.port);
      case 'opening':
        return state.port;
      case 'closed':
        return Promise.reject(closedError());
      case 'idle':
        return state.failure !== undefined && this.#deps.clock.nowMs() < state.retryAtMs
          ? Promise.reject(state.failure)
          : this.#open();
    }
  }

  #open(): Promise<RedisPort> {
    const abort = new AbortController();
    const port = this.#connect(abort);
    this.#state = { kind: 'opening', port, abort };
    return port;
  }

  async #connect(abort: AbortController): Promise<RedisPort> {
    const { clock, random } = this.#deps;
    const timer = clock.after(this.#timeoutMs, () => {
      abort.abort(new RegistryError('registry_timeout', 'redis: no connection in time'));
    });
    try {
      const opened: { port?: RedisPort } = {};
      const port = await this.#deps.open(
        {
          message: (channel, text) => {
            if (this.#holds(opened.port)) this.#events.message(channel, text);
          },
          lost: (cause) => {
            this.#lose(opened.port, toRegistryError(cause));
          },
        },
        abort.signal,
      );
      opened.port = port;
      if (this.#state.kind === 'closed') {
        await port.close();
        throw closedError();
      }
      this.#state = { kind: 'open', port };
      return port;
    } catch (error) {
      const failure = toRegistryError(abort.signal.aborted ? abort.signal.reason : error);
      if (this.#state.kind !== 'closed') {
        const pauseMs = between(random, retryPauseMs.low, retryPauseMs.high);
        this.#state = { kind: 'idle', retryAtMs: clock.nowMs() + pauseMs, failure };
      }
      throw failure;
    } finally {
      timer.cancel();
    }
  }

  #lose(port: RedisPort | undefined, failure: RegistryError): void {
    if (port === undefined || !this.#holds(port)) return;
    this.#state = { kind: 'idle', retryAtMs: -Infinity };
    void port.close();
    this.#events.lost(failure);
  }

  #holds(port: RedisPort | undefined): boolean {
    return this.#state.kind === 'open' && this.#state.port === port;
  }

  #inTime<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#deps.clock.after(this.#timeoutMs, () => {
        reject(new RegistryError('registry_timeout', 'redis: no answer in time'));
      });
      const onAbort = (): void => {
        const cause: unknown = signal?.reason;
        if (cause instanceof RegistryError && cause.code === 'registry_timeout') reject(cause);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      void answer.then(resolve, reject).finally(() => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      });
    });
  }
}

async function finish(state: Exclude<State, { kind: 'closed' }>): Promise<void> {
  if (state.kind === 'open') await state.port.close();
  if (state.kind !== 'opening') return;
  state.abort.abort(closedError());
  await state.port.catch(() => undefined);
}

/** Settles like `work`, or rejects as soon as the signal aborts; what `work` does later is of no interest then. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const cause: unknown = signal.reason;
      reject(
        cause instanceof RegistryError
          ? cause
          : new RegistryError('registry_timeout', 'redis: cancelled before the answer', { cause }),
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

function closedError(): RegistryError {
  return new RegistryError('registry_unreachable', 'redis: the driver is closed');
}
