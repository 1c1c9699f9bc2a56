// One request on the fast lane: drives its exchange, sends it to an instance and writes the reply.
import { isNeverSent } from '../../headers.ts';
import type { Attempt, Exchange, Failure } from '../../exchange.ts';
import type { Call } from '../../intake.ts';
import { Pursuit, type Pursuer } from '../../pursuit.ts';
import { refusalBytes } from '../../replies.ts';
import { forwardedTrailer, interimHead, replyHead, requestHead } from './forwarded-heads.ts';
import { chunk, endOfChunks, joined } from './framing.ts';
import type { Flow, InstanceConnection, ReplyEvents } from './instance-connection.ts';
import type { InstancePool } from './instance-pool.ts';
import type { LaneDeps } from './lane-deps.ts';
import type { CanonicalReply } from './reply-head.ts';
import { bodyIdleTimeoutMs, RequestBody } from './request-body.ts';
import type { CanonicalRequest } from './request-head.ts';

/** What a call needs of its client's connection. */
export interface CallClient {
  readonly address: string | undefined;
  /** Lines that the request gets for having come from this client. */
  readonly forwardingLines: string;
  /** The connection takes no request after this one. */
  readonly closing: boolean;
  /** One character a byte. False: no more until `flow` is called. */
  write(text: string): boolean;
  /** The same of bytes. */
  writePieces(pieces: readonly Buffer[]): boolean;
  /** Not all that was written has left. */
  readonly hasUnsent: boolean;
  /** The body comes too fast, or not any more. */
  holdBody(hold: boolean): void;
  /** The call has ended, with its reply written to the end or not at all. */
  over(): void;
  /** The reply broke off: nothing but a cut connection says so. */
  cut(): void;
}

type Stage =
  | { readonly kind: 'pursuing' }
  | { readonly kind: 'dialling'; readonly cancel: () => void }
  | { readonly kind: 'sent'; readonly pool: InstancePool; readonly connection: InstanceConnection }
  | { readonly kind: 'over' };

/** Has all come, and nothing is ever added to it. */
const noBody = new RequestBody(0, 0);

const pursuing: Stage = { kind: 'pursuing' };
const over: Stage = { kind: 'over' };

export class FastCall implements Pursuer, ReplyEvents {
  readonly body: RequestBody;
  readonly #deps: LaneDeps;
  readonly #call: Call;
  readonly #exchange: Exchange;
  readonly #request: CanonicalRequest;
  readonly #client: CallClient;
  readonly #head: string;
  readonly #pursuit: Pursuit;
  #stage: Stage = pursuing;
  /** The head of the reply that waits for its first contents, to be written with them. */
  #replyHead = '';
  #replyChunked = false;
  #replied = false;
  /** Monotonic ms when the instance last took or, before it had all, sent something; Infinity when nothing is expected of it. */
  #movedAtMs = Infinity;

  constructor(deps: LaneDeps, call: Call, request: CanonicalRequest, client: CallClient) {
    this.#deps = deps;
    this.#call = call;
    this.#exchange = call.exchange;
    this.#request = request;
    this.#client = client;
    this.#pursuit = new Pursuit(call.exchange, deps.clock, this);
    this.body =
      request.body === 0
        ? noBody
        : new RequestBody(request.body, call.exchange.upstream.policy.replayBytesMax);
    this.#head = requestHead(call, request, client, deps.random);
    deps.turnWrites.callBegins();
  }

  /** Bytes of a reply may have been written. */
  get isReplying(): boolean {
    return this.#replied;
  }

  start(): void {
    this.#pursuit.advance();
  }

  /** More of the body has come. */
  bodyCame(contents: readonly Buffer[]): void {
    this.body.keep(contents);
    const stage = this.#stage;
    if (stage.kind !== 'sent') {
      if (this.body.isFull) this.#client.holdBody(true);
      return;
    }
    this.#movedAtMs = this.#deps.clock.nowMs();
    const flows = stage.connection.write(this.#framed(contents));
    this.#forgetBodyIfFull();
    if (!flows) this.#client.holdBody(true);
  }

  /** The client takes more of the reply. */
  flow(): void {
    if (this.#stage.kind === 'sent') this.#stage.connection.resume();
  }

  clientClosed(): void {
    const stage = this.#stage;
    if (stage.kind === 'over') return;
    this.#end();
    if (stage.kind === 'dialling') stage.cancel();
    if (stage.kind === 'sent') stage.connection.destroy();
    this.#exchange.clientClosed();
  }

  /**
   * Looks whether the reply is late, or the instance takes no more of the body. `waitsForClient`: the rest of the body has yet
   * to come from there.
   */
  sweep(nowMs: number, waitsForClient: boolean): void {
    const stage = this.#stage;
    if (stage.kind !== 'sent') return;
    const stillMs = nowMs - this.#movedAtMs;
    if (this.#replied) {
      if (this.body.done || waitsForClient || stillMs <= bodyIdleTimeoutMs) return;
      this.failed('the instance takes no more of the request', 'broken');
      stage.connection.destroy();
      return;
    }
    const isLate = !waitsForClient && stillMs > this.#exchange.responseTimeoutMs(this.#movedAtMs);
    const isOverdue = this.#exchange.responseTimeoutMs(nowMs) === 0;
    if (!isLate && !isOverdue) return;
    stage.connection.destroy();
    this.#failed('response_timeout', `no reply within ${Math.round(stillMs)} ms`);
  }

  attempt({ endpoint, startedAtMs }: Attempt): void {
    const pool = this.#deps.pools.of(endpoint, this.#exchange.upstream.policy);
    // A retry is worth a connection that is known to be alive.
    const isFirst = this.#exchange.attempts.length === 1;
    const connection = isFirst ? pool.takeIdle(startedAtMs) : undefined;
    if (connection !== undefined) {
      this.#send(pool, connection, startedAtMs);
      return;
    }
    const cancel = pool.connect({
      connected: (fresh) => this.#send(pool, fresh, this.#deps.clock.nowMs()),
      failed: (kind, cause) => this.#failed(kind, cause),
    });
    this.#stage = { kind: 'dialling', cancel };
  }

  giveUp(failure: Failure): void {
    this.#end();
    const refusal = this.#deps.intake.refusalOf(this.#call, failure);
    const headOnly = this.#request.method === 'HEAD';
    this.#client.writePieces([refusalBytes(refusal, this.#client.closing, headOnly)]);
    this.#client.over();
  }

  interim(reply: CanonicalReply): void {
    // They may be left out (RFC 9110 §15.2), and must not pile up.
    if (!this.#client.hasUnsent) this.#client.write(interimHead(reply));
  }

  whole(reply: CanonicalReply): void {
    const stage = this.#stage;
    if (!this.#accepts(reply)) {
      if (stage.kind === 'sent') stage.connection.destroy();
      return;
    }
    this.#client.write(
      replyHead(reply, { isChunked: false, closing: this.#client.closing }) + reply.rest,
    );
    this.#finish(stage);
  }

  replied(reply: CanonicalReply, more: boolean): boolean {
    if (!this.#accepts(reply)) return false;
    this.#replyChunked = reply.body === 'chunked' || reply.body === 'close';
    const { closing } = this.#client;
    this.#replyHead = replyHead(reply, { isChunked: this.#replyChunked, closing });
    // Contents that came with the head are written with it.
    if (reply.body === 0 || !more) this.#writeContents([]);
    return true;
  }

  contents(pieces: readonly Buffer[]): Flow {
    // Whoever replies may take the rest of the body later.
    if (!this.body.done) this.#movedAtMs = this.#deps.clock.nowMs();
    const framed = this.#replyChunked ? chunk(pieces) : pieces;
    if (!this.#writeContents(framed)) return 'full';
    return this.#client.hasUnsent ? 'queued' : 'sent';
  }

  ended(trailer: string): void {
    if (this.#replyHead !== '') this.#writeContents([]);
    if (this.#replyChunked) this.#client.write(endOfChunks(forwardedTrailer(trailer)));
    this.#finish(this.#stage);
  }

  failed(cause: string, how: 'untouched' | 'malformed' | 'broken'): void {
    const stage = this.#stage;
    if (stage.kind !== 'sent') return;
    if (this.#replied) {
      this.#end();
      this.#exchange.cut(cause);
      this.#client.cut();
      return;
    }
    const isStale = how === 'untouched' && stage.connection.reused;
    this.#failed(
      how === 'malformed' ? 'bad_response' : isStale ? 'stale_connection' : 'reset',
      cause,
    );
  }

  drained(): void {
    this.#movedAtMs = this.#deps.clock.nowMs();
    this.#client.holdBody(false);
  }

  #send(pool: InstancePool, connection: InstanceConnection, nowMs: number): void {
    const { body } = this;
    this.#stage = { kind: 'sent', pool, connection };
    this.#exchange.connected();
    this.#exchange.committed();
    this.#movedAtMs = nowMs;
    const headOnly = this.#request.method === 'HEAD';
    const kept = this.#framed(body.kept ?? []);
    const whole = kept.length === 0 ? this.#head : joined(this.#head, kept);
    let flows = connection.send(whole ?? this.#head, headOnly, this);
    if (whole === undefined) flows = connection.write(kept);
    this.#forgetBodyIfFull();
    this.#client.holdBody(!flows);
  }

  /** False: another instance is asked instead. */
  #accepts(reply: CanonicalReply): boolean {
    const neverSent = reply.passing === undefined && isNeverSent(reply.rawHeaders);
    if (this.#exchange.replied(reply.status, neverSent) === 'pass') {
      this.#replied = true;
      return true;
    }
    this.#stage = pursuing;
    // Not from inside of the connection's reading.
    process.nextTick(() => {
      if (this.#stage.kind === 'pursuing') this.#pursuit.advance();
    });
    return false;
  }

  /** The reply was written to its end. */
  #finish(stage: Stage): void {
    this.#end();
    this.#exchange.finished();
    if (stage.kind === 'sent') {
      // An instance that answered before it had the whole request expects the rest of it.
      if (this.body.done) stage.pool.giveBack(stage.connection);
      else stage.connection.destroy();
    }
    this.#client.over();
  }

  #forgetBodyIfFull(): void {
    if (this.body.forgetIfFull()) this.#exchange.bodyLost();
  }

  /** Of the request's body, as it goes to the instance. */
  #framed(contents: readonly Buffer[]): readonly Buffer[] {
    if (!this.body.isChunked) return contents;
    const end = this.body.done ? [Buffer.from(endOfChunks(''), 'latin1')] : [];
    return [...chunk(contents), ...end];
  }

  /** False: the client takes no more until it has drained. */
  #writeContents(contents: readonly Buffer[]): boolean {
    if (this.#replyHead === '') return this.#client.writePieces(contents);
    const head = this.#replyHead;
    this.#replyHead = '';
    const whole = joined(head, contents);
    if (whole !== undefined) return this.#client.write(whole);
    return this.#client.writePieces([Buffer.from(head, 'latin1'), ...contents]);
  }

  #failed(kind: Parameters<Exchange['failed']>[0], cause: string): void {
    this.#stage = pursuing;
    this.#exchange.failed(kind, cause);
    this.#pursuit.advance();
  }

  #end(): void {
    if (this.#stage.kind === 'over') return;
    this.#stage = over;
    this.#deps.turnWrites.callEnds();
    this.#pursuit.stop();
  }
}
