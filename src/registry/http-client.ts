// A small HTTP client for registries: one or several equal servers, kept connections, bounded answers, no retries but safe ones.
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { formatAddress, type Address } from '../core/address.ts';
import { messageOf, RegistryError } from '../core/errors.ts';
import type { TlsFiles } from './tls-files.ts';

export interface HttpClientOptions {
  /** Equal servers; the first one that works is kept to until it fails. */
  readonly servers: readonly Address[];
  /** A unix socket instead of `servers`. */
  readonly socketPath?: string;
  /** HTTPS with these files. */
  readonly tls?: TlsFiles;
  /** Sent with each request; called each time, so that credentials may change. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A longer answer fails with `registry_invalid`. Default 64 MiB. */
  readonly bytesMax?: number;
  /**
   * For long polls and streams, which use connections of their own: the time without a byte from the server after which
   * its connection counts as dead (`registry_timeout`).
   */
  readonly silenceMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /**
   * The body's lines as they come, without their ends. Ends with the body; throws a RegistryError when the connection is lost
   * or silent, the signal aborts or a line is longer than `bytesMax`. Must be iterated, or returned, to free the connection.
   */
  readonly lines: AsyncGenerator<string, void, undefined>;
}

const bytesMaxDefault = 64 * 1024 * 1024;

/**
 * A request is tried on the next server when a connection fails, and once more when a kept connection turns out to be closed:
 * every request must be safe to repeat. All failures are RegistryErrors; statuses are the caller's to judge. A request ends as
 * soon as its signal aborts.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #requests: http.Agent;
  readonly #streams: http.Agent;
  #current = 0;
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const Agent = options.tls === undefined ? http.Agent : https.Agent;
    const shared = { keepAlive: true, keepAliveMsecs: 10_000, scheduling: 'lifo' as const };
    this.#requests = new Agent({ ...shared, maxSockets: 64 });
    this.#streams = new Agent({ ...shared, maxFreeSockets: 16 });
  }

  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const response = await this.#send(request, signal);
    const text = await readText(response, request.bytesMax ?? bytesMaxDefault, signal);
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }

  /** Resolves with the head of the answer. */
  async stream(request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    const response = await this.#send(request, signal);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      lines: readLines(response, request.bytesMax ?? bytesMaxDefault, signal),
    };
  }

  /** The server in use cannot serve (it said so, or an operation timed out): the next request goes to the next one. */
  leaveServer(): void {
    this.#leave(this.#current);
  }

  /** Ends all connections, and requests with them. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#requests.destroy();
    this.#streams.destroy();
  }

  async #send(request: HttpRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const tries = this.#options.socketPath === undefined ? this.#options.servers.length : 1;
    for (let attempt = 1; ; attempt++) {
      const used = this.#current;
      try {
        return await this.#sendToCurrent(request, signal);
      } catch (error) {
        this.#leave(used);
        if (isTimeout(error)) this.#dropIdle();
        if (attempt >= tries || signal.aborted || this.#closed) throw error;
      }
    }
  }

  async #sendToCurrent(request: HttpRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    // One more time for each kept connection that was closed meanwhile, and a new one in the end.
    for (;;) {
      this.#mustGoOn(signal);
      const sent = this.#begin(request, signal);
      try {
        const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
        return response;
      } catch (error) {
        this.#mustGoOn(signal);
        // Silence is no sign of a connection that was closed meanwhile.
        const isSilence = error instanceof RegistryError;
        if (!sent.reusedSocket || isSilence) throw asRegistryError(error, this.#where());
      }
    }
  }

  #begin(request: HttpRequest, signal: AbortSignal): http.ClientRequest {
    const { tls, servers, socketPath, headers } = this.#options;
    const server = servers[this.#current] ?? { host: 'localhost', port: 80 };
    const { body, silenceMs } = request;
    const sent = (tls === undefined ? http : https).request({
      ...(socketPath === undefined ? server : { socketPath }),
      ...tls,
      method: request.method,
      path: request.path,
      agent: silenceMs === undefined ? this.#requests : this.#streams,
      headers: {
        host: socketPath === undefined ? formatAddress(server) : 'localhost',
        ...headers?.(),
        ...request.headers,
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
      signal,
      ...(silenceMs !== undefined && { timeout: silenceMs }),
    });
    let response: http.IncomingMessage | undefined;
    sent.on('response', (head) => (response = head));
    sent.on('timeout', () => {
      // The reader of a response would otherwise only learn that it ended.
      const silence = new RegistryError('registry_timeout', `silent for ${silenceMs ?? 0} ms`);
      (response ?? sent).destroy(silence);
    });
    // Later errors reach the reader of the response; without one there is nobody to tell.
    sent.on('error', () => undefined);
    sent.end(body);
    return sent;
  }

  /** Where one connection has died silently, those that are kept for later have too. */
  #dropIdle(): void {
    for (const agent of [this.#requests, this.#streams]) {
      for (const sockets of Object.values(agent.freeSockets)) {
        for (const socket of sockets ?? []) socket.destroy();
      }
    }
  }

  /** Of several requests that fail on one server, the first leaves it for all. */
  #leave(server: number): void {
    if (server !== this.#current) return;
    this.#current = (server + 1) % Math.max(1, this.#options.servers.length);
  }

  #mustGoOn(signal: AbortSignal): void {
    if (signal.aborted) throw asRegistryError(signal.reason);
    if (this.#closed) throw new RegistryError('registry_unreachable', 'closed');
  }

  #where(): string {
    const { socketPath, servers } = this.#options;
    const server = servers[this.#current];
    return socketPath ?? (server === undefined ? '' : formatAddress(server));
  }
}

async function readText(
  response: http.IncomingMessage,
  bytesMax: number,
  signal: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLong(bytesMax);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asRegistryError(signal.aborted ? signal.reason : error);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* readLines(
  response: http.IncomingMessage,
  bytesMax: number,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      let from = 0;
      for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, to)]).toString('utf8');
        rest = [];
        restBytes = 0;
        from = to + 1;
      }
      if (from === chunk.length) continue;
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
      if (restBytes > bytesMax) throw tooLong(bytesMax);
    }
  } catch (error) {
    throw asRegistryError(signal.aborted ? signal.reason : error);
  } finally {
    response.destroy();
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString('utf8');
}

function isTimeout(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'registry_timeout';
}

function tooLong(bytesMax: number): RegistryError {
  return new RegistryError('registry_invalid', `the answer is longer than ${bytesMax} bytes`);
}

function asRegistryError(error: unknown, where = ''): RegistryError {
  if (error instanceof RegistryError) return error;
  const text = messageOf(error);
  const message = where === '' || text.includes(where) ? text : `${where}: ${text}`;
  return new RegistryError('registry_unreachable', message, { cause: error });
}
