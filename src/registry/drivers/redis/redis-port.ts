// What the driver needs of a Redis client library, whatever topology is behind it.

/** A connection that works. It never reconnects and never queues: once lost, it is replaced. */
export interface RedisPort {
  /** Sends one command; rejects with the server's error reply or when the connection is lost. Has no deadline. */
  command(name: string, args: readonly string[]): Promise<unknown>;
  /** Resolves when the server has confirmed it; messages may arrive before. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Ends the connection and all that waits for it; resolves when the socket is closed. Idempotent. */
  close(): Promise<void>;
}

export interface PortEvents {
  message(channel: string, text: string): void;
  /** Called once, for every end of the connection; nothing more comes from it. */
  lost(cause: Error): void;
}

/**
 * Connects, authenticates and selects the database. Rejects with the cause, having closed everything; ends soon after the
 * signal aborts.
 */
export type OpenPort = (events: PortEvents, signal: AbortSignal) => Promise<RedisPort>;
