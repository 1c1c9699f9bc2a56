// The channels that the driver listens to, all on one connection that is tested while it is silent.
import type { Clock, Timer } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { Connection, type ConnectionDeps, type ConnectionOptions } from './connection.ts';

export interface ChannelListener {
  message(text: string): void;
  /** Messages may have been missed; the subscription has ended. */
  lost(error: RegistryError): void;
}

export interface SubscriptionsOptions extends ConnectionOptions {
  /** A subscriber sends nothing by itself, so without pings it would never notice that its peer is gone. */
  readonly pingEveryMs: number;
}

export class Subscriptions {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #pingEveryMs: number;
  readonly #listeners = new Map<string, Set<ChannelListener>>();
  #ping: Timer | undefined;

  constructor(deps: ConnectionDeps, options: SubscriptionsOptions) {
    this.#clock = deps.clock;
    this.#pingEveryMs = options.pingEveryMs;
    const events = {
      message: (channel: string, text: string): void => {
        for (const listener of this.#listeners.get(channel) ?? []) listener.message(text);
      },
      lost: (error: RegistryError): void => {
        this.#end(error);
      },
    };
    this.#connection = new Connection(deps, events, options);
  }

  /** Resolves when messages of the channel arrive. After a failure, or once lost, there is nothing to unsubscribe. */
  async subscribe(channel: string, listener: ChannelListener, signal: AbortSignal): Promise<void> {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    try {
      // Also when others listen already: their subscribing may not have succeeded yet.
      await this.#connection.use((port) => port.subscribe(channel), signal);
    } catch (error) {
      this.unsubscribe(channel, listener);
      throw error;
    }
    if (this.#ping === undefined && this.#listeners.size > 0) this.#pingLater();
  }

  /** Does nothing for a listener that has none. */
  unsubscribe(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(listener) !== true || listeners.size > 0) return;
    this.#listeners.delete(channel);
    if (this.#listeners.size === 0) this.#stopPing();
    // A failure does no harm: messages that nobody listens to are ignored.
    this.#connection.use((port) => port.unsubscribe(channel)).catch(() => undefined);
  }

  /** Whoever still listens is told that it was lost. */
  async close(): Promise<void> {
    const closed = this.#connection.close();
    this.#end(new RegistryError('registry_unreachable', 'redis: the connection is closed'));
    await closed;
  }

  #pingLater(): void {
    const timer = this.#clock.after(this.#pingEveryMs, () => {
      // A failure that matters is reported as a loss, which ends the pings.
      void this.#connection
        .use((port) => port.command('PING', []))
        .catch(() => undefined)
        .then(() => {
          if (this.#ping === timer) this.#pingLater();
        });
    });
    this.#ping = timer;
  }

  #end(error: RegistryError): void {
    this.#stopPing();
    const ended = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listeners of ended) for (const listener of listeners) listener.lost(error);
  }

  #stopPing(): void {
    this.#ping?.cancel();
    this.#ping = undefined;
  }
}
