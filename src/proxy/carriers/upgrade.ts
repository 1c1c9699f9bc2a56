// The carrier of connections that change their protocol: WebSocket and every other upgrade.
import { Agent, IncomingMessage, ServerResponse, type ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { ProxyServer } from 'http-proxy';
import type { Timer } from '../../core/clock.ts';
import { messageOf, systemCodeOf } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { dial, type DialDeps, type GatedSocket } from '../dial.ts';
import type { Attempt, Failure, FailureKind } from '../exchange.ts';
import { headersByName, isNeverSent, replyHeaders, requestHeaders } from '../headers.ts';
import type { Call, Intake } from '../intake.ts';
import { Pursuit, type Pursuer } from '../pursuit.ts';
import { endWithRefusal } from '../replies.ts';
import { writeHead } from './http-relay.ts';
import { watchPair } from './pair.ts';
import { WebSocketCloser } from './websocket-closer.ts';

export interface UpgradeCarrierDeps extends DialDeps {
  readonly intake: Intake;
  readonly random: Random;
}

export class UpgradeCarrier {
  readonly #deps: UpgradeCarrierDeps;
  readonly #open = new Set<WebSocketCloser>();
  #server: Promise<ProxyServer> | undefined;

  constructor(deps: UpgradeCarrierDeps) {
    this.#deps = deps;
  }

  /** Owns the request's socket from here on; `head` is what the client sent ahead. The request has no body. */
  handle(req: IncomingMessage, head: Buffer, listenerService: string | undefined): void {
    const { socket } = req;
    socket.on('error', () => undefined);
    const admission = this.#deps.intake.admitLasting(req, listenerService);
    if (admission.kind === 'refused') {
      endWithRefusal(socket, admission.refusal);
      return;
    }
    if (head.length > 0) socket.unshift(head);
    this.#server ??= loadProxyServer();
    void this.#server.then((server) => {
      new UpgradeCall(this.#deps, admission, { req, socket, server, open: this.#open }).start();
    });
  }

  /** Tells every WebSocket client to go away (RFC 6455 §7.4.1); the others are told by their socket's end. */
  drain(): void {
    for (const closer of [...this.#open]) closer.close();
  }
}

async function loadProxyServer(): Promise<ProxyServer> {
  const { createProxyServer } = await import('./upgrade-package.ts');
  const server = createProxyServer({});
  // Errors are handled at the request and at both sockets; without this listener the package throws them.
  server.on('error', () => undefined);
  return server;
}

interface Conversation {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly server: ProxyServer;
  readonly open: Set<WebSocketCloser>;
}

type Stage =
  | { readonly kind: 'pursuing' }
  | { readonly kind: 'dialling'; readonly cancel: () => void }
  | { readonly kind: 'sent'; readonly request: ClientRequest; readonly timer: Timer | undefined }
  /** An answer is being passed on: another protocol, or a plain reply. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'over' };

class UpgradeCall implements Pursuer {
  readonly #deps: UpgradeCarrierDeps;
  readonly #call: Call;
  readonly #conversation: Conversation;
  readonly #pursuit: Pursuit;
  #stage: Stage = { kind: 'pursuing' };

  constructor(deps: UpgradeCarrierDeps, call: Call, conversation: Conversation) {
    this.#deps = deps;
    this.#call = call;
    this.#conversation = conversation;
    this.#pursuit = new Pursuit(call.exchange, deps.clock, this);
  }

  start(): void {
    const { socket } = this.#conversation;
    socket.once('close', () => {
      this.#clientClosed();
    });
    if (socket.destroyed) this.#clientClosed();
    else this.#pursuit.advance();
  }

  attempt({ endpoint }: Attempt): void {
    const { exchange } = this.#call;
    const { host, port } = endpoint.instance;
    const target = {
      address: { host, port },
      timeoutMs: exchange.upstream.policy.connectTimeoutMs,
    };
    const cancel = dial(this.#deps, target, {
      connected: (instance) => {
        exchange.connected();
        this.#send(instance);
      },
      failed: (kind, cause) => {
        this.#failed(kind, cause);
      },
    });
    this.#stage = { kind: 'dialling', cancel };
  }

  giveUp(failure: Failure): void {
    this.#stage = { kind: 'over' };
    endWithRefusal(this.#conversation.socket, this.#deps.intake.refusalOf(this.#call, failure));
  }

  #send(instance: GatedSocket): void {
    const { exchange } = this.#call;
    exchange.committed();
    let request: ClientRequest;
    try {
      request = this.#requestThroughPackage(instance);
    } catch (error) {
      instance.destroy();
      this.#failed('bad_response', messageOf(error));
      return;
    }
    const timeoutMs = exchange.responseTimeoutMs();
    const late = (): void => {
      this.#failed('response_timeout', `no reply within ${Math.round(timeoutMs)} ms`);
      request.destroy();
    };
    const timer =
      timeoutMs === Infinity ? undefined : this.#deps.clock.after(Math.ceil(timeoutMs) + 1, late);
    this.#stage = { kind: 'sent', request, timer };
    request.on('error', (error) => {
      this.#failed(kindOf(error), systemCodeOf(error) ?? error.message);
    });
    request.on('response', (reply) => {
      this.#replied(request, reply);
    });
    // Before the package's own listener, which writes the head and joins the sockets, and after it.
    request.prependListener('upgrade', (reply: IncomingMessage) => {
      this.#cleanHead(reply);
    });
    request.on('upgrade', () => {
      this.#upgraded(request, instance);
    });
  }

  /**
   * Has the package write the request and, after a 101, the reply's head and both streams. Around it:
   * - The connection is made by `dial`, so that a refused one is known never to have been used: an Agent hands it over.
   * - The package takes only GET with `Upgrade: websocket`, and joins paths by rules of its own: it is shown such a
   *   request, and its options and the outgoing request then say the true method, headers and path.
   * - Its listeners for errors and for plain replies are removed: they end the client's socket, so that no second
   *   instance could be asked, and pass on a reply without back-pressure and without a sign when it was cut short.
   */
  #requestThroughPackage(instance: GatedSocket): ClientRequest {
    const { req, socket, server } = this.#conversation;
    const shown = new IncomingMessage(socket);
    shown.method = 'GET';
    shown.url = '/';
    shown.headers = { upgrade: 'websocket' };
    let request: ClientRequest | undefined;
    const capture = (outgoing: ClientRequest): void => {
      outgoing.path = this.#call.route.path;
      request = outgoing;
    };
    server.once('proxyReqWs', capture);
    try {
      server.ws(shown, socket, Buffer.alloc(0), {
        target: { host: 'instance', port: 80 },
        agent: new GivenSocketAgent(instance),
        method: req.method ?? 'GET',
        headers: this.#headers(),
      });
    } finally {
      server.off('proxyReqWs', capture);
    }
    if (request === undefined) throw new Error('the upgrade request was not made');
    return request.removeAllListeners('error').removeAllListeners('response');
  }

  #headers(): Record<string, string | string[]> {
    const { req } = this.#conversation;
    const headers = requestHeaders(req.rawHeaders, {
      host: this.#call.host,
      originalHost: req.headers.host,
      clientAddress: req.socket.remoteAddress,
      random: this.#deps.random,
    });
    headers.push('Connection', 'Upgrade');
    return { ...headersByName(headers), upgrade: req.headers.upgrade ?? '' };
  }

  #cleanHead(reply: IncomingMessage): void {
    const { connection = 'Upgrade', upgrade = '' } = reply.headers;
    const headers = headersByName(replyHeaders(reply.rawHeaders, 101, false));
    reply.headers = { ...headers, connection, upgrade };
  }

  #upgraded(request: ClientRequest, instance: GatedSocket): void {
    const { exchange } = this.#call;
    const { req, socket, open } = this.#conversation;
    if (!this.#isCurrent(request)) {
      instance.destroy();
      return;
    }
    this.#answered();
    exchange.replied(101);
    const isWebSocket = req.headers.upgrade?.toLowerCase() === 'websocket';
    const closer = isWebSocket ? new WebSocketCloser(socket, instance) : undefined;
    if (closer !== undefined) open.add(closer);
    watchPair(socket, instance, (outcome) => {
      if (closer !== undefined) open.delete(closer);
      this.#stage = { kind: 'over' };
      if (outcome === 'instance') exchange.cut('the instance broke the connection');
      else exchange.finished();
    });
  }

  /** No upgrade: an answer like any other, after which the connection ends (its parser is gone). */
  #replied(request: ClientRequest, reply: IncomingMessage): void {
    const { exchange } = this.#call;
    const { req, socket } = this.#conversation;
    if (!this.#isCurrent(request)) return;
    const { statusCode: status = 0, statusMessage: message = '', rawHeaders } = reply;
    this.#answered();
    if (exchange.replied(status, isNeverSent(rawHeaders)) === 'retry') {
      request.destroy();
      this.#stage = { kind: 'pursuing' };
      this.#pursuit.advance();
      return;
    }
    const res = new ServerResponse(req);
    res.assignSocket(socket);
    if (!writeHead(req, res, { status, message, rawHeaders }, true)) {
      exchange.cut('the head of the reply cannot be written');
      socket.destroy();
      return;
    }
    pipeline(reply, res, (error) => {
      this.#stage = { kind: 'over' };
      if (error) {
        exchange.cut(error.message);
        socket.destroy();
        return;
      }
      exchange.finished();
      res.detachSocket(socket);
      socket.end();
    });
  }

  #isCurrent(request: ClientRequest): boolean {
    return this.#stage.kind === 'sent' && this.#stage.request === request;
  }

  #answered(): void {
    if (this.#stage.kind === 'sent') this.#stage.timer?.cancel();
    this.#stage = { kind: 'answered' };
  }

  #failed(kind: FailureKind, cause: string): void {
    const stage = this.#stage;
    if (stage.kind === 'answered' || stage.kind === 'over') return;
    if (stage.kind === 'sent') stage.timer?.cancel();
    this.#stage = { kind: 'pursuing' };
    this.#call.exchange.failed(kind, cause);
    this.#pursuit.advance();
  }

  #clientClosed(): void {
    const stage = this.#stage;
    this.#pursuit.stop();
    // An answer under way ends by itself, with its sockets.
    if (stage.kind === 'answered' || stage.kind === 'over') return;
    this.#stage = { kind: 'over' };
    if (stage.kind === 'dialling') stage.cancel();
    if (stage.kind === 'sent') {
      stage.timer?.cancel();
      stage.request.destroy();
    }
    this.#call.exchange.clientClosed();
  }
}

/** Gives node:http a connection that exists. */
class GivenSocketAgent extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: false });
    this.#socket = socket;
  }

  override createConnection(): Socket {
    return this.#socket;
  }
}

function kindOf(error: Error): FailureKind {
  return systemCodeOf(error)?.startsWith('HPE_') === true ? 'bad_response' : 'reset';
}
