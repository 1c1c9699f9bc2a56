// Opens connections to one Redis server through ioredis, without its reconnecting, queueing and resending.
import type { Redis, RedisOptions } from 'ioredis';
import type { Address } from '../../../core/address.ts';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { passwordOf, type PasswordSource } from '../../password.ts';
import type { RedisAccess } from './location.ts';
import type { OpenPort, RedisPort } from './redis-port.ts';

/** After the polite end of the stream; a server that is away never answers it. */
const disconnectTimeoutMs = 50;

/** A server of its own, or one of several: its address, and how to log in. */
export type ServerLocation = Address & RedisAccess;

/**
 * In a cluster the channels are `sharded`: a message stays with the servers of the channel's slot. A connection is lost when
 * the slot of one of its channels has moved to another server.
 */
export type Channels = 'plain' | 'sharded';

export function singleServer(location: ServerLocation, channels: Channels = 'plain'): OpenPort {
  return async (events, signal) => {
    const { Redis } = await import('./client-library.ts');
    const client = new Redis(clientOptions(location));
    let cause: Error | undefined;
    // Without a listener ioredis would print errors; they come in addition to the end of the connection.
    client.on('error', (error: Error) => {
      cause ??= error;
    });
    const abort = (): void => {
      client.disconnect();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await client.connect();
      // A refused SELECT does not fail the connect: it would leave us in database 0.
      if (cause !== undefined) throw cause;
      if (client.status !== 'ready') throw new Error('connection closed');
    } catch (error) {
      client.disconnect();
      throw cause ?? error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    client.on(messageEvent[channels], (channel: string, text: string) => {
      events.message(channel, text);
    });
    // The library's name for an unsubscription that nobody asked for, and for a subscription refused for that reason.
    client.on('moved', () => {
      cause ??= new Error('the slot of a channel has moved');
      client.disconnect();
    });
    client.once('end', () => {
      events.lost(cause ?? new Error('connection closed'));
    });
    return new SingleServerPort(client, channels);
  };
}

const messageEvent = { plain: 'message', sharded: 'smessage' } as const;

class SingleServerPort implements RedisPort {
  readonly #client: Redis;
  readonly #channels: Channels;

  constructor(client: Redis, channels: Channels) {
    this.#client = client;
    this.#channels = channels;
  }

  command(name: string, args: readonly string[]): Promise<unknown> {
    return this.#client.call(name, ...args);
  }

  async subscribe(channel: string): Promise<void> {
    await (this.#channels === 'sharded'
      ? this.#client.ssubscribe(channel)
      : this.#client.subscribe(channel));
  }

  async unsubscribe(channel: string): Promise<void> {
    await (this.#channels === 'sharded'
      ? this.#client.sunsubscribe(channel)
      : this.#client.unsubscribe(channel));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#client.status === 'end') {
        resolve();
        return;
      }
      this.#client.once('end', resolve);
      this.#client.disconnect();
    });
  }
}

function clientOptions(
  location: ServerLocation,
): RedisOptions & { readonly replyMapping: 'legacy' } {
  const password = readPassword(location.password);
  return {
    host: location.host,
    port: location.port,
    db: location.database,
    ...(location.user !== undefined && { username: location.user }),
    ...(password !== undefined && { password }),
    ...(location.tls !== undefined && { tls: { ...location.tls, rejectUnauthorized: true } }),
    connectionName: 'outrigger',
    // RESP2 suffices, and every server speaks it.
    protocol: 2,
    replyMapping: 'legacy',
    lazyConnect: true,
    // The owner of the connection decides when to connect again, and nothing is ever sent twice: a heartbeat or a
    // registration from before an outage is no longer true after it.
    retryStrategy: () => null,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // The check would hide LOADING, and prints when INFO is not permitted.
    enableReadyCheck: false,
    disableClientInfo: true,
    // Deadlines are the owner's.
    connectTimeout: 0,
    disconnectTimeout: disconnectTimeoutMs,
    keepAlive: 10_000,
  };
}

function readPassword(source: PasswordSource): string | undefined {
  try {
    return passwordOf(source);
  } catch (error) {
    const message = `redis: password-file: ${messageOf(error)}`;
    throw new RegistryError('registry_auth', message, { cause: error });
  }
}
