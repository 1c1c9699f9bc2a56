// A gRPC client on one HTTP/2 connection to one of several equal servers. No retries but to connect to the next server.
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { formatAddress, type Address } from '../../../core/address.ts';
import type { Clock, Timer } from '../../../core/clock.ts';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import type { TlsFiles } from '../../tls-files.ts';
import { abortReason, isTimeout, untilAborted } from './abort.ts';
import { GrpcStream, type GrpcSink } from './grpc-stream.ts';

export interface GrpcChannelOptions {
  /** The first one that works is kept to until it fails. */
  readonly servers: readonly Address[];
  readonly tls?: TlsFiles;
}

export type Metadata = Readonly<Record<string, string>>;

/** A stream, and the connection that it is on. */
export interface OpenStream {
  readonly stream: GrpcStream;
  /** The server has fallen silent: ends the connection and everything on it. */
  leaveServer(): void;
}

interface Link {
  readonly session: ClientHttp2Session;
  readonly ready: Promise<void>;
  /** When it was made, or when it brought the latest answer. */
  answeredAtMs: number;
  suspicion: Timer | undefined;
}

/** As much may be under way to us; the default slows down long answers. */
const windowBytes = 1024 * 1024;
const graceMs = 100;

/** All failures are RegistryErrors. */
export class GrpcChannel {
  readonly #clock: Clock;
  readonly #options: GrpcChannelOptions;
  #index = 0;
  #link: Link | undefined;
  #closed = false;

  constructor(deps: { readonly clock: Clock }, options: GrpcChannelOptions) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** One message there, one back. Ends as soon as the signal aborts. */
  async unary(
    path: string,
    message: Buffer,
    metadata: Metadata,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const startedAtMs = this.#clock.nowMs();
    const link = await this.#connected(signal);
    return new Promise((resolve, reject) => {
      let answer: Buffer | undefined;
      const call = this.#begin(link, path, metadata, {
        message: (received) => {
          answer = received;
          link.answeredAtMs = this.#clock.nowMs();
        },
        ended: (error) => {
          signal.removeEventListener('abort', abort);
          if (error === undefined && answer !== undefined) resolve(answer);
          else reject(error ?? new RegistryError('registry_invalid', 'etcd: no answer'));
        },
      });
      const abort = (): void => {
        reject(abortReason(signal));
        call.close();
        if (isTimeout(signal)) this.#suspect(link, startedAtMs);
      };
      signal.addEventListener('abort', abort, { once: true });
      call.sendLast(message);
      if (signal.aborted) abort();
    });
  }

  /** A call of many messages in both directions; the caller closes it. The signal only ends the wait for a connection. */
  async open(
    path: string,
    metadata: Metadata,
    sink: GrpcSink,
    signal: AbortSignal,
  ): Promise<OpenStream> {
    const link = await this.#connected(signal);
    return {
      stream: this.#begin(link, path, metadata, sink),
      leaveServer: () => this.#leave(link),
    };
  }

  /** The server says that it cannot serve: the next call goes to the next one, if there is one. */
  leaveServer(): void {
    if (this.#link !== undefined && this.#options.servers.length > 1) this.#leave(this.#link);
  }

  /** Ends the connection, and calls with it. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#link?.session.destroy();
  }

  #begin(link: Link, path: string, metadata: Metadata, sink: GrpcSink): GrpcStream {
    const headers: OutgoingHttpHeaders = {
      ...metadata,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    let stream: ClientHttp2Stream;
    try {
      stream = link.session.request(headers);
    } catch (error) {
      throw unreachable(error);
    }
    return new GrpcStream(stream, sink);
  }

  async #connected(signal: AbortSignal): Promise<Link> {
    const startedAtMs = this.#clock.nowMs();
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new RegistryError('registry_unreachable', 'etcd: closed');
      const link = (this.#link ??= this.#connect());
      try {
        await untilAborted(link.ready, signal);
        return link;
      } catch (error) {
        // Others may still wait for the same connection when one loses interest.
        if (!signal.aborted) this.#leave(link);
        else if (isTimeout(signal)) this.#suspect(link, startedAtMs);
        if (signal.aborted || attempt >= this.#options.servers.length) throw error;
      }
    }
  }

  #connect(): Link {
    const { servers, tls } = this.#options;
    const server = servers[this.#index] ?? { host: 'localhost', port: 2379 };
    const where = formatAddress(server);
    const session = connect(`${tls === undefined ? 'http' : 'https'}://${where}`, {
      ...tls,
      settings: { enablePush: false, initialWindowSize: windowBytes },
    });
    const ready = new Promise<void>((resolve, reject) => {
      session.once('connect', () => {
        session.setLocalWindowSize(windowBytes);
        resolve();
      });
      // Also after it was ready: then it only tells the streams.
      session.on('error', (error) => reject(unreachable(error, where)));
      session.once('close', () => reject(unreachable(new Error('connection closed'), where)));
    });
    ready.catch(() => undefined);
    const link: Link = { session, ready, answeredAtMs: -Infinity, suspicion: undefined };
    session.once('connect', () => (link.answeredAtMs = this.#clock.nowMs()));
    session.once('close', () => {
      link.suspicion?.cancel();
      this.#forget(link);
    });
    session.once('goaway', () => this.#forget(link));
    return link;
  }

  /**
   * A call had no answer in time. If no other had one either, the connection may be dead or the server stuck. If this process
   * was too busy to read the answers, it does so within the grace.
   */
  #suspect(link: Link, sinceMs: number): void {
    if (link.suspicion !== undefined) return;
    link.suspicion = this.#clock.after(graceMs, () => {
      link.suspicion = undefined;
      if (link.answeredAtMs < sinceMs) this.#leave(link);
    });
  }

  #leave(link: Link): void {
    this.#forget(link);
    link.session.destroy();
  }

  #forget(link: Link): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#index = (this.#index + 1) % this.#options.servers.length;
  }
}

function unreachable(error: unknown, where = ''): RegistryError {
  const text = messageOf(error);
  const place = where === '' || text.includes(where) ? '' : `${where}: `;
  return new RegistryError('registry_unreachable', `etcd: ${place}${text}`, { cause: error });
}
