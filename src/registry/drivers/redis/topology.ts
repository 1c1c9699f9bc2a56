// The servers behind a Redis registry as the driver sees them: for each hash tag there is one that has its keys.
import { Connection, type ConnectionDeps } from './connection.ts';
import type { RedisPort } from './redis-port.ts';
import { Subscriptions, type SubscriptionsOptions } from './subscriptions.ts';

export interface Topology {
  /**
   * Does one exchange with the server that has the keys with this hash tag. A command that a server redirects was not
   * executed, so the exchange is then done again with the other one. Otherwise as `Connection.use`.
   */
  use<T>(tag: string, exchange: (port: RedisPort) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Where the channels with this hash tag are heard now: another object once another server has them. */
  subscriptions(tag: string, signal: AbortSignal): Promise<Subscriptions>;
  /** Ends every connection; whoever listens is told that it was lost. Idempotent. */
  close(): Promise<void>;
}

/** The connections to one server; each is made when it is needed. */
export class ServerLink implements Topology {
  /** On its own, since a connection that listens takes no other commands. */
  readonly #subscriptions: Subscriptions;
  readonly #commands: Connection;

  constructor(deps: ConnectionDeps, options: SubscriptionsOptions) {
    this.#commands = new Connection(deps, noEvents, options);
    this.#subscriptions = new Subscriptions(deps, options);
  }

  use<T>(
    _tag: string,
    exchange: (port: RedisPort) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#commands.use(exchange, signal);
  }

  subscriptions(): Promise<Subscriptions> {
    return Promise.resolve(this.#subscriptions);
  }

  async close(): Promise<void> {
    await Promise.all([this.#commands.close(), this.#subscriptions.close()]);
  }
}

const noEvents = {
  message: (): void => undefined,
  lost: (): void => undefined,
};
