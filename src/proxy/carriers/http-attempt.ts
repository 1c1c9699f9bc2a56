// One attempt of an HTTP request: speaks undici's language on one side and the exchange's on the other.
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../../core/clock.ts';
import { systemCodeOf } from '../../core/errors.ts';
import { ConnectionClosed, hiddenResetCode, type Connection } from '../connection.ts';
import type { Exchange, FailureKind } from '../exchange.ts';
import { announcesInVain, decodeHeaders } from '../headers.ts';
import type { ReplayBuffer } from '../replay.ts';

export interface ReplyHead {
  readonly status: number;
  readonly message: string;
  /** Names and values in turn, as the instance sent them. */
  readonly rawHeaders: readonly string[];
}

/** What the attempt tells its call. After `failed`, `unsent`, `broken` or `ended` it tells nothing more. */
export interface AttemptEvents {
  /** A 1xx that is not the answer. */
  interim(head: ReplyHead): void;
  /** The answer begins. `discard`: it is thrown away, and the attempt is over. `headOnly`: no body is passed on. */
  head(head: ReplyHead): 'pass' | 'headOnly' | 'discard';
  /** False: hold the next ones back until `flow` is called. */
  data(chunk: Buffer): boolean;
  ended(rawTrailers: readonly string[]): void;
  /** The reply broke off after its head. */
  broken(cause: string): void;
  /** No reply came. */
  failed(kind: FailureKind, cause: string): void;
  /** The idle connection had been closed before anything was written to it: the attempt can go on with another. */
  unsent(): void;
}

export interface AttemptDeps {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly connection: Connection;
  /** The request's body, if it has one. */
  readonly body: ReplayBuffer | undefined;
  readonly events: AttemptEvents;
  /** The connection may be used again. */
  readonly giveBack: () => void;
}

/**
 * - `waiting`: no reply yet; `relaying`: its body is being passed on.
 * - `trailing`: all that the client gets has been passed on, the reply's end is yet to come.
 */
type Phase = 'waiting' | 'relaying' | 'trailing' | 'over';

export class HttpAttempt implements Dispatcher.DispatchHandler {
  readonly #deps: AttemptDeps;
  #phase: Phase = 'waiting';
  #progress: 'none' | 'committed' | 'replying' = 'none';
  #timer: Timer | undefined;
  #bytesWritten = 0;
  #reusable = true;

  constructor(deps: AttemptDeps) {
    this.#deps = deps;
  }

  start(request: Pick<Dispatcher.DispatchOptions, 'method' | 'path' | 'headers'>): void {
    const body = this.#openBody();
    this.#watch();
    // Otherwise undici asks the instance to close after HEAD.
    this.#deps.connection.dispatch({ ...request, body: body ?? null, reset: false }, this);
  }

  /** The client takes data again. */
  flow(): void {
    this.#deps.connection.socket.release();
  }

  /** Ends the attempt with its connection, silently. Idempotent. */
  abandon(): void {
    if (this.#phase === 'over') return;
    this.#finish();
    this.#deps.connection.destroy();
  }

  onRequestStart(): void {
    this.#progress = 'committed';
    this.#deps.exchange.committed();
  }

  onResponseStarted(): void {
    this.#progress = 'replying';
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    message = '',
  ): void {
    if (this.#phase !== 'waiting') return;
    const head = { status, message, rawHeaders: decodeHeaders(controller.rawHeaders) };
    if (status < 200) {
      // undici takes these for a broken reply, but only after it has shown them.
      if (status > 101) this.#deps.events.interim(head);
      return;
    }
    this.#timer?.cancel();
    this.#reusable = !announcesInVain(status, head.rawHeaders);
    const verdict = this.#deps.events.head(head);
    if (verdict === 'discard') this.abandon();
    else this.#phase = verdict === 'pass' ? 'relaying' : 'trailing';
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase !== 'relaying') return;
    if (!this.#deps.events.data(chunk)) this.#deps.connection.socket.hold();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    this.#finish();
    this.#deps.connection.socket.release();
    if (this.#reusable) this.#deps.giveBack();
    else this.#deps.connection.destroy();
    if (phase === 'relaying') this.#deps.events.ended(decodeHeaders(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    this.abandon();
    const { events, connection } = this.#deps;
    const kind = this.#kindOf(error);
    if (phase === 'relaying') events.broken(error.message);
    else if (phase === 'trailing') return;
    else if (this.#progress === 'none' && connection.reused) events.unsent();
    else events.failed(kind, causeOf(error));
  }

  #finish(): void {
    this.#phase = 'over';
    this.#timer?.cancel();
  }

  #openBody(): Readable | undefined {
    const body = this.#deps.body?.open();
    // The time for the reply counts from the request's last byte.
    body?.once('end', () => {
      if (this.#phase === 'waiting') this.#watch();
    });
    return body;
  }

  #watch(): void {
    this.#timer?.cancel();
    const timeoutMs = this.#deps.exchange.responseTimeoutMs();
    if (timeoutMs === Infinity) return;
    this.#bytesWritten = this.#deps.connection.socket.bytesWritten;
    // A timer may fire a millisecond early, and then a deadline would not have passed yet.
    this.#timer = this.#deps.clock.after(Math.ceil(timeoutMs) + 1, () => {
      this.#late(timeoutMs);
    });
  }

  /** Neither a slow client nor an instance that still takes the body is late, unless the whole request is. */
  #late(timeoutMs: number): void {
    const { exchange, body, connection, events } = this.#deps;
    const waitsFor = body?.waitsFor ?? 'nobody';
    const moving =
      waitsFor === 'client' ||
      (waitsFor === 'instance' && connection.socket.bytesWritten > this.#bytesWritten);
    if (moving && exchange.responseTimeoutMs() > 0) {
      this.#watch();
      return;
    }
    this.abandon();
    events.failed('response_timeout', `no reply within ${Math.round(timeoutMs)} ms`);
  }

  #kindOf(error: Error): FailureKind {
    const code = systemCodeOf(error) ?? '';
    const isMalformed =
      error.name === 'HTTPParserError' ||
      malformedCodes.has(code) ||
      (code === 'UND_ERR_SOCKET' && /^bad (?:response|upgrade)$/.test(error.message));
    if (isMalformed) return 'bad_response';
    const untouched = this.#progress !== 'replying' && this.#deps.connection.reused;
    return untouched ? 'stale_connection' : 'reset';
  }
}

/** What undici reports of replies that are not HTTP, beside the errors of its parser, whose codes it has lost. */
const malformedCodes: ReadonlySet<string> = new Set([
  'ERR_ASSERTION',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

/** In the words of the fast lane, where they are undici's. */
function causeOf(error: Error): string {
  if (error instanceof ConnectionClosed || error.message === 'other side closed')
    return 'connection closed';
  if (systemCodeOf(error) === hiddenResetCode) return 'ECONNRESET';
  return error.message === '' ? (systemCodeOf(error) ?? error.name) : error.message;
}
