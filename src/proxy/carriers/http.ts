// The general carrier: plain HTTP requests, node:http in and undici out.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Connection } from '../connection.ts';
import type { EndpointPool } from '../endpoint-pool.ts';
import type { EndpointPools } from '../endpoint-pools.ts';
import type { Attempt, Failure, FailureKind } from '../exchange.ts';
import { hasBody, isNeverSent, requestHeaders } from '../headers.ts';
import type { Call, Intake } from '../intake.ts';
import { Pursuit, type Pursuer } from '../pursuit.ts';
import { ReplayBuffer } from '../replay.ts';
import { endWithRefusal, sendRefusal, type Refusal } from '../replies.ts';
import { refuseReplyFraming } from '../strict.ts';
import { ClientTurns, type Conversation, type Turn, type TurnOwner } from './client-turns.ts';
import { HttpAttempt, type AttemptEvents, type ReplyHead } from './http-attempt.ts';
import { endReply, isHeadOnly, writeHead, writeInterim } from './http-relay.ts';

export interface HttpCarrierDeps {
  readonly intake: Intake;
  readonly pools: EndpointPools;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether replies must say that their connection takes no further request. */
  readonly isDraining: () => boolean;
}

/** What the listener knows of a request beside its bytes. */
export interface Arrival {
  readonly listenerService: string | undefined;
  /** The client sends its body only after `100 Continue` (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
}

/** A client that stops in the middle of a body is let go after this time. */
const bodyIdleTimeoutMs = 60_000;

interface HttpConversation extends Conversation {
  readonly arrival: Arrival;
}

export class HttpCarrier implements TurnOwner<HttpConversation> {
  readonly #deps: HttpCarrierDeps;
  readonly #turns = new WeakMap<Duplex, ClientTurns<HttpConversation>>();

  constructor(deps: HttpCarrierDeps) {
    this.#deps = deps;
  }

  /** Forwards the request and answers it. Owns both from here on. */
  handle(req: IncomingMessage, res: ServerResponse, arrival: Arrival): void {
    const { socket } = req;
    let turns = this.#turns.get(socket);
    if (turns === undefined) this.#turns.set(socket, (turns = new ClientTurns(socket, this)));
    turns.arrived({ req, res, arrival });
  }

  newTurn(conversation: HttpConversation): Turn {
    const { req, res, arrival } = conversation;
    const admission = this.#deps.intake.admit(req, arrival.listenerService);
    if (admission.kind === 'call') return new HttpCall(this.#deps, admission, conversation);
    const close = arrival.expectsContinue || this.#deps.isDraining();
    const start = (): void => {
      sendRefusal(res, admission.refusal, close);
    };
    return { start, clientClosed: () => undefined };
  }

  /** Replies are under way on the connection, or a body is. */
  isBusy(socket: Duplex): boolean {
    return this.#turns.get(socket)?.isBusy === true;
  }

  /** Calls back when all requests of the connection have been answered; never if it ends before. */
  afterReplies(socket: Duplex, callback: () => void): void {
    const turns = this.#turns.get(socket);
    if (turns === undefined) callback();
    else turns.afterReplies(callback);
  }

  /** What came on the connection is not HTTP: answers in its turn, and ends the connection. */
  refuse(socket: Duplex, refusal: Refusal): void {
    const turns = this.#turns.get(socket);
    if (turns === undefined) endWithRefusal(socket, refusal);
    else turns.refuse(refusal);
  }
}

type Stage =
  | { readonly kind: 'pursuing' }
  | { readonly kind: 'dialling'; readonly cancel: () => void }
  | { readonly kind: 'sent'; readonly attempt: HttpAttempt }
  | { readonly kind: 'over' };

class HttpCall implements Turn, Pursuer, AttemptEvents {
  readonly #deps: HttpCarrierDeps;
  readonly #call: Call;
  readonly #conversation: HttpConversation;
  readonly #pursuit: Pursuit;
  readonly #body: ReplayBuffer | undefined;
  readonly #headers: string[];
  #stage: Stage = { kind: 'pursuing' };
  #bodyWanted = false;
  /** Contents of the reply have come. */
  #hasContents = false;

  constructor(deps: HttpCarrierDeps, call: Call, conversation: HttpConversation) {
    const { req } = conversation;
    this.#deps = deps;
    this.#call = call;
    this.#conversation = conversation;
    this.#pursuit = new Pursuit(call.exchange, deps.clock, this);
    this.#headers = requestHeaders(req.rawHeaders, {
      host: call.host,
      originalHost: req.headers.host,
      clientAddress: req.socket.remoteAddress,
      random: deps.random,
    });
    this.#body = hasBody(req) ? this.#newBody() : undefined;
  }

  start(): void {
    if (this.#deps.pools.loaded) {
      this.#pursuit.advance();
      return;
    }
    void this.#deps.pools.load().then(() => {
      if (this.#stage.kind === 'pursuing') this.#pursuit.advance();
    });
  }

  clientClosed(): void {
    const stage = this.#stage;
    if (stage.kind === 'over') return;
    this.#over();
    if (stage.kind === 'dialling') stage.cancel();
    if (stage.kind === 'sent') stage.attempt.abandon();
    this.#call.exchange.clientClosed();
  }

  attempt({ endpoint }: Attempt): void {
    const { exchange } = this.#call;
    const pool = this.#deps.pools.of(endpoint, exchange.upstream.policy);
    // A retry is worth a connection that is known to be alive.
    const idle = exchange.attempts.length === 1 ? pool.takeIdle() : undefined;
    if (idle === undefined) this.#connect(pool);
    else this.#send(pool, idle);
  }

  giveUp(failure: Failure): void {
    this.#over();
    const { req, res, arrival } = this.#conversation;
    const close = this.#deps.isDraining() || (arrival.expectsContinue && !this.#bodyWanted);
    sendRefusal(res, this.#deps.intake.refusalOf(this.#call, failure), close);
    if (!req.complete) this.#body?.discard();
  }

  interim(head: ReplyHead): void {
    writeInterim(this.#conversation.req, this.#conversation.res, head);
  }

  head(head: ReplyHead): 'pass' | 'headOnly' | 'discard' {
    const { exchange } = this.#call;
    const { req, res } = this.#conversation;
    const ambiguity = refuseReplyFraming(head.rawHeaders);
    if (ambiguity !== undefined) {
      exchange.failed('bad_response', ambiguity);
      return this.#discard();
    }
    const neverSent = isNeverSent(head.rawHeaders);
    if (exchange.replied(head.status, neverSent) === 'retry') return this.#discard();
    if (!writeHead(req, res, head, this.#deps.isDraining())) {
      this.#refuseReply();
      return 'discard';
    }
    if (isHeadOnly(req.method, head.status)) {
      this.ended([]);
      return 'headOnly';
    }
    // Contents that came with the head are written with it; for later ones it does not wait.
    process.nextTick(() => {
      if (!this.#hasContents && !res.writableEnded) res.flushHeaders();
    });
    return 'pass';
  }

  data(chunk: Buffer): boolean {
    const { res } = this.#conversation;
    this.#hasContents = true;
    if (res.write(chunk)) return true;
    if (res.listenerCount('drain') === 0)
      res.once('drain', () => {
        if (this.#stage.kind === 'sent') this.#stage.attempt.flow();
      });
    return false;
  }

  ended(rawTrailers: readonly string[]): void {
    this.#over();
    const { req, res } = this.#conversation;
    endReply(res, rawTrailers);
    this.#call.exchange.finished();
    if (!req.complete) this.#body?.discard();
  }

  broken(cause: string): void {
    this.#over();
    this.#call.exchange.cut(cause);
    // Nothing but a cut connection tells the client that the body is not all there.
    this.#conversation.req.socket.destroy();
  }

  failed(kind: FailureKind, cause: string): void {
    this.#stage = { kind: 'pursuing' };
    this.#call.exchange.failed(kind, cause);
    this.#pursuit.advance();
  }

  unsent(): void {
    const { exchange } = this.#call;
    const endpoint = exchange.attempts.at(-1)?.endpoint;
    if (endpoint !== undefined)
      this.#connect(this.#deps.pools.of(endpoint, exchange.upstream.policy));
  }

  /** Nothing of this reply is passed on. */
  #discard(): 'discard' {
    this.#stage = { kind: 'pursuing' };
    // Not from inside of undici's parser.
    process.nextTick(() => {
      if (this.#stage.kind === 'pursuing') this.#pursuit.advance();
    });
    return 'discard';
  }

  #connect(pool: EndpointPool): void {
    const cancel = pool.connect({
      connected: (connection) => {
        this.#send(pool, connection);
      },
      failed: (kind, cause) => {
        this.failed(kind, cause);
      },
    });
    this.#stage = { kind: 'dialling', cancel };
  }

  #send(pool: EndpointPool, connection: Connection): void {
    const { exchange, route } = this.#call;
    const giveBack = (): void => {
      pool.giveBack(connection);
    };
    exchange.connected();
    const attempt = new HttpAttempt({
      exchange,
      clock: this.#deps.clock,
      connection,
      body: this.#body,
      events: this,
      giveBack,
    });
    this.#stage = { kind: 'sent', attempt };
    const method = this.#conversation.req.method ?? 'GET';
    attempt.start({ method, path: route.path, headers: this.#headers });
  }

  #newBody(): ReplayBuffer {
    const { req, res, arrival } = this.#conversation;
    const { exchange } = this.#call;
    const body = new ReplayBuffer(req, {
      bytesMax: exchange.upstream.policy.replayBytesMax,
      onWanted: () => {
        this.#bodyWanted = true;
        if (arrival.expectsContinue) res.writeContinue();
      },
      onLost: () => {
        exchange.bodyLost();
      },
    });
    // The connection's close tells the same, and more surely.
    req.on('error', () => undefined);
    req.socket.setTimeout(bodyIdleTimeoutMs);
    req.on('timeout', () => {
      // The time that an instance has for its reply is counted elsewhere.
      const isInstances = body.waitsFor === 'instance' && !res.headersSent;
      if (isInstances) req.socket.setTimeout(bodyIdleTimeoutMs);
      else req.socket.destroy();
    });
    req.once('end', () => req.socket.setTimeout(0));
    return body;
  }

  /** The head could not be written: the reply was not HTTP after all. */
  #refuseReply(): void {
    const { exchange } = this.#call;
    this.#over();
    const failure = { kind: 'failure', reason: 'bad_response', neverSent: false } as const;
    sendRefusal(this.#conversation.res, this.#deps.intake.refusalOf(this.#call, failure), true);
    exchange.cut('the head of the reply cannot be written', failure.reason);
  }

  #over(): void {
    this.#stage = { kind: 'over' };
    this.#pursuit.stop();
  }
}
