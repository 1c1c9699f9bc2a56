// A Connection: one HTTP/1.1 connection to an instance, one request at a time, over a socket that is already open.
import type { EventEmitter } from 'node:events';
import type { Client as UndiciClient, Dispatcher } from 'undici';
import type { GatedSocket } from './dial.ts';

/** undici's Client class, given by whoever loaded the package (which is slow and large, so not before it is needed). */
export type ClientClass = typeof UndiciClient;

export interface ConnectionOptions {
  readonly idleTimeoutMs: number;
  /** The reply's head may be this long; more is a bad response. */
  readonly headBytesMax: number;
}

/** A reply's `Keep-Alive: timeout=` is undercut by this much, for the request may be on its way when it runs out. */
const keepAliveMarginMs = 1000;

export class Connection {
  readonly socket: GatedSocket;
  readonly #client: UndiciClient;
  /** It has carried a request before. */
  reused = false;

  constructor(Client: ClientClass, socket: GatedSocket, options: ConnectionOptions) {
    this.socket = socket;
    const idleTimeoutMs = Math.max(1, options.idleTimeoutMs);
    this.#client = new Client('http://instance', {
      connect: handOver(socket),
      pipelining: 1,
      keepAliveTimeout: idleTimeoutMs,
      keepAliveMaxTimeout: idleTimeoutMs,
      keepAliveTimeoutThreshold: keepAliveMarginMs,
      // Time is the attempt's matter.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: options.headBytesMax,
      allowH2: false,
    });
    // A last resort: undici reports here what a handler threw. Without a listener it would end the process.
    const emitter: EventEmitter = this.#client;
    emitter.on('error', () => {
      this.destroy();
    });
    socket.on('error', hideReset);
  }

  get usable(): boolean {
    return !this.socket.destroyed && !this.#client.destroyed;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Calls back when the connection has ended, for whatever cause. */
  onClose(listener: () => void): void {
    this.socket.once('close', listener);
  }

  /** Ends it at once. A request on it fails. Idempotent. */
  destroy(): void {
    this.socket.destroy();
    this.#client.destroy().catch(() => undefined);
  }
}

/** A connector that gives the client its one socket; undici would open another when that one is closed. */
function handOver(socket: GatedSocket): NonNullable<UndiciClient.Options['connect']> {
  let given = false;
  return (_options, callback) => {
    const used = given;
    given = true;
    // Not at once: undici writes no request when the connection is there before its connector has returned.
    queueMicrotask(() => {
      if (used || socket.destroyed) callback(new ConnectionClosed(), null);
      else callback(null, socket);
    });
  };
}

/** The connection was closed before the request was written to it. */
export class ConnectionClosed extends Error {
  readonly code = 'OUTRIGGER_CONNECTION_CLOSED';

  constructor() {
    super('the connection was closed before the request was written');
  }
}

/** What ECONNRESET is called for undici. */
export const hiddenResetCode = 'OUTRIGGER_RESET';

/** undici takes a reset for the regular end of a reply that ends with its connection, and so passes on half a body. */
function hideReset(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = hiddenResetCode;
}
