// AdminServer: the HTTP listener of the admin API.
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { formatAddress, type Address } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { messageOf, RegistryError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { listenOn } from '../proxy/listening.ts';
import { guardRequest } from './guard.ts';
import { refusalReply, RequestRefusal, serverHeader, type Reply } from './reply.ts';
import { answer } from './routes.ts';
import type { AgentView } from './view.ts';

export interface AdminServerDeps {
  readonly view: AgentView;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface AdminServerOptions {
  /** Port 0 is any free one. */
  readonly address: Address;
  /** Host names, in lower case, that callers may use besides localhost and the addresses of this machine. */
  readonly ownHosts: readonly string[];
}

/** How long one answer may wait for the registry. */
const answerTimeoutMs = 3000;
/** No endpoint reads a body; more than this is not even read away. */
const bodyBytesMax = 65_536;
/** Part of what `src/agent/connections-max.ts` keeps free. */
const connectionsMax = 32;
const idleTimeoutMs = 30_000;

const limits: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: 16_384,
};

/** Answers on one address until it is closed. No request, however odd, ends the process or is kept in memory. */
export class AdminServer implements Component {
  readonly #deps: AdminServerDeps;
  readonly #options: AdminServerOptions;
  #listening: Promise<Server> | undefined;
  #address: Address | undefined;
  #closing: Promise<void> | undefined;

  constructor(deps: AdminServerDeps, options: AdminServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The bound address. Throws before the start. */
  get address(): Address {
    if (this.#address === undefined) throw new Error('the admin server has not started');
    return this.#address;
  }

  /** `http://HOST:PORT` of the bound address. Throws before the start. */
  get url(): string {
    return `http://${formatAddress(this.address)}`;
  }

  /** Rejects with a ConfigError when the address cannot be listened on. */
  async start(): Promise<void> {
    if (this.#closing !== undefined) throw new Error('the admin server is closed');
    this.#listening ??= this.#listen();
    await this.#listening;
  }

  /** Also breaks off the answers that are under way. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #listen(): Promise<Server> {
    const { address, ownHosts } = this.#options;
    const server = createServer(limits, (request, response) => {
      void this.#respond(request, response, [...ownHosts, address.host.toLowerCase()]);
    });
    server.maxConnections = connectionsMax;
    server.timeout = idleTimeoutMs;
    await listenOn(server, { address }, '--admin');
    server.on('error', (error) => {
      this.#deps.logger.warn({ error: error.message }, 'the admin listener failed to accept');
    });
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
    this.#address = { host: address.host, port };
    return server;
  }

  async #end(): Promise<void> {
    const server = await this.#listening?.catch(() => undefined);
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  /** Never rejects. */
  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    ownHosts: readonly string[],
  ): Promise<void> {
    const abort = new AbortController();
    const timer = this.#deps.clock.after(answerTimeoutMs, () => {
      abort.abort(new RegistryError('registry_timeout', 'no answer in time'));
    });
    response.on('error', () => undefined);
    response.on('close', () => {
      abort.abort(new RegistryError('registry_timeout', 'the caller went away'));
    });
    boundBody(request);
    const reply = await this.#replyTo(request, ownHosts, abort.signal);
    timer.cancel();
    if (!response.destroyed) send(response, reply);
  }

  async #replyTo(
    request: IncomingMessage,
    ownHosts: readonly string[],
    signal: AbortSignal,
  ): Promise<Reply> {
    const { method = '', url = '' } = request;
    const { view, clock, logger } = this.#deps;
    try {
      guardRequest(request, ownHosts);
      if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) {
        throw new RequestRefusal(413, 'bad_request', 'this API reads no bodies');
      }
      const [path = '', query = ''] = url.split('?', 2);
      return await answer(method, path, { view, clock, query: new URLSearchParams(query), signal });
    } catch (error) {
      if (error instanceof RequestRefusal) return refusalReply(error);
      logger.error({ method, error: messageOf(error) }, 'an admin request failed');
      return refusalReply(new RequestRefusal(500, 'internal', 'the agent failed to answer'));
    }
  }
}

/** Reads the body away, and breaks the connection when there is no end of it. */
function boundBody(request: IncomingMessage): void {
  let bodyBytes = 0;
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    bodyBytes += chunk.length;
    if (bodyBytes > bodyBytesMax) request.socket.destroy();
  });
}

function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    server: serverHeader,
    ...(reply.status === 413 && { connection: 'close' }),
    ...reply.headers,
  });
  // Node leaves the body of an answer to HEAD away by itself.
  response.end(reply.body);
}
