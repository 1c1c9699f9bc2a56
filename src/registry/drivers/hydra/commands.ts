// The connection that commands go through, and when it last gave trouble.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { Connection, type ConnectionDeps, type ConnectionOptions } from '../redis/connection.ts';
import type { RedisPort } from '../redis/redis-port.ts';

export class Commands {
  readonly #clock: Clock;
  readonly #connection: Connection;
  #troubleAtMs = -Infinity;

  constructor(deps: ConnectionDeps, options: ConnectionOptions) {
    this.#clock = deps.clock;
    const events = {
      message: (): void => undefined,
      lost: (): void => {
        this.#troubleAtMs = this.#clock.nowMs();
      },
    };
    this.#connection = new Connection(deps, events, options);
  }

  /** When Redis was away or could not serve, on the clock. Nobody may have been able to renew then. */
  get troubleAtMs(): number {
    return this.#troubleAtMs;
  }

  /** As `Connection.use`. */
  async use<T>(exchange: (port: RedisPort) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await this.#connection.use(exchange, signal);
    } catch (error) {
      // The end of the caller's wait is no trouble; where it is the end of the connection's patience, that is told as a loss.
      if (signal?.aborted !== true && isOutage(error)) this.#troubleAtMs = this.#clock.nowMs();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** What is refused for want of permission is refused to nobody else. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return error.code !== 'registry_auth' && error.code !== 'registry_invalid';
}
