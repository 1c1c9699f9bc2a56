// One client's connection on the fast lane: its requests one after another, until one is in doubt.
import type { Socket } from 'node:net';
import { ownText, parseAuthority } from '../../authority.ts';
import { forwardingLines } from '../../headers.ts';
import { lingerMs, malformedBody, refusalBytes } from '../../replies.ts';
import { FastCall, type CallClient } from './fast-call.ts';
import { writePieces } from './framing.ts';
import type { LaneDeps } from './lane-deps.ts';
import { bodyIdleTimeoutMs } from './request-body.ts';
import type { CanonicalRequest } from './request-head.ts';

export interface ClientConnectionEvents {
  /** The connection goes to the general carrier, which reads these bytes first. */
  stepAside(socket: Socket, bytes: Buffer | undefined): void;
  closed(): void;
}

export interface ClientConnectionOptions {
  /** The service that the listener belongs to, if it belongs to one. */
  readonly listenerService: string | undefined;
}

/** As long as on the general lane: longer than any client keeps an idle connection. */
const idleTimeoutMs = 120_000;
/** A request that came while another was being answered waits; the client may send this much meanwhile. */
const waitingBytesMax = 65_536;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'calling'; readonly call: FastCall }
  /** The reply was there before the end of the request's body, the rest of which is thrown away. */
  | { readonly kind: 'discarding'; readonly call: FastCall }
  | { readonly kind: 'over' };

const noFields: readonly string[] = [];
const idempotent: readonly string[] = ['Idempotency-Key', ''];

const idle: State = { kind: 'idle' };
const over: State = { kind: 'over' };

export class ClientConnection implements CallClient {
  readonly #deps: LaneDeps;
  readonly #socket: Socket;
  readonly #options: ClientConnectionOptions;
  readonly #events: ClientConnectionEvents;
  readonly address: string | undefined;
  #state: State = idle;
  /** What came before its turn. */
  #waiting: Buffer | undefined;
  #lastRequest = false;
  #bodyHeld = false;
  /** The client has sent something since the last sweep, or been answered; then that sweep's time counts. */
  #heard = true;
  #heardAtMs = 0;
  /** Since the first sweep that found it over. */
  #overSinceMs: number | undefined;
  /** The last host that was found to be one, mostly the next one too, and the lines that go with it. */
  #soundHost = '';
  #forwardingLines = '';

  constructor(
    deps: LaneDeps,
    socket: Socket,
    options: ClientConnectionOptions,
    events: ClientConnectionEvents,
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#options = options;
    this.#events = events;
    this.address = socket.remoteAddress;
  }

  /** Reads from now on. */
  start(): void {
    this.#socket.on('data', this.#onData).on('end', this.#onEnd);
    this.#socket.on('drain', this.#onDrain).on('close', this.#onClose);
  }

  get closing(): boolean {
    return this.#lastRequest || this.#deps.isDraining();
  }

  get forwardingLines(): string {
    return this.#forwardingLines;
  }

  write(text: string): boolean {
    return this.#socket.destroyed || this.#deps.turnWrites.write(this.#socket, text);
  }

  writePieces(pieces: readonly Buffer[]): boolean {
    return this.#socket.destroyed || writePieces(this.#socket, pieces);
  }

  get hasUnsent(): boolean {
    return this.#socket.writableLength > 0;
  }

  holdBody(hold: boolean): void {
    if (hold === this.#bodyHeld) return;
    this.#bodyHeld = hold;
    if (hold) this.#socket.pause();
    else this.#socket.resume();
  }

  over(): void {
    if (this.#state.kind !== 'calling') return;
    const { call } = this.#state;
    // What is still to come of the body is thrown away.
    this.holdBody(false);
    if (this.closing) this.#endAfterReply(call.body.done && this.#waiting === undefined);
    else if (call.body.done) this.#next();
    else this.#state = { kind: 'discarding', call };
  }

  cut(): void {
    this.#state = over;
    this.#socket.destroy();
  }

  /** Ends the connection unless a request is on it. */
  endIfIdle(): void {
    if (this.#state.kind === 'idle' && this.#waiting === undefined) this.#endAfterReply(true);
  }

  sweep(nowMs: number): void {
    const state = this.#state;
    if (this.#heard) this.#heardAtMs = nowMs;
    this.#heard = false;
    const silentMs = nowMs - this.#heardAtMs;
    if (state.kind === 'idle') {
      if (silentMs > idleTimeoutMs) this.cut();
    } else if (state.kind === 'over') {
      this.#overSinceMs ??= nowMs;
      const lastMs = this.hasUnsent ? bodyIdleTimeoutMs : lingerMs;
      if (nowMs - this.#overSinceMs > lastMs) this.#socket.destroy();
    } else {
      const waitsForClient = !state.call.body.done && !this.#bodyHeld;
      if (waitsForClient && silentMs > bodyIdleTimeoutMs) this.#socket.destroy();
      else if (state.kind === 'calling') state.call.sweep(nowMs, waitsForClient);
    }
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#heard = true;
    const state = this.#state;
    if (state.kind === 'idle' && this.#isReady()) this.#read(bytes);
    else if (state.kind === 'idle') this.#wait(bytes, 0);
    else if (state.kind !== 'over') this.#readBody(state, bytes, 0);
  };

  /** Node's server answers nobody who has closed its side either, but what was answered arrives. */
  readonly #onEnd = (): void => {
    const { kind } = this.#state;
    if (kind === 'calling') this.#socket.destroy();
    else if (kind !== 'over') this.#endAfterReply(true);
  };

  readonly #onDrain = (): void => {
    if (this.#state.kind === 'calling') this.#state.call.flow();
    else this.#readWaiting();
  };

  readonly #onClose = (): void => {
    const state = this.#state;
    this.#state = over;
    if (state.kind === 'calling') state.call.clientClosed();
    this.#events.closed();
  };

  /** Nothing has come before, and the replies so far are read: those that nobody reads must not pile up. */
  #isReady(): boolean {
    return this.#waiting === undefined && !this.#socket.writableNeedDrain;
  }

  #read(bytes: Buffer): void {
    const request = this.#deps.requests.read(bytes);
    if (request === 'doubtful' || !this.#isSound(request.host)) {
      this.#stepAside(bytes);
      return;
    }
    const admission = this.#deps.intake.admitSound({
      method: request.method,
      target: request.target,
      rawHeaders: fieldsForIntake(request),
      host: request.host,
      listenerService: this.#options.listenerService,
      arrival: this.#socket,
    });
    this.#lastRequest = request.close;
    if (admission.kind === 'refused' && request.body !== 0) {
      // Rare enough to leave to those who know how to read the body to nowhere.
      this.#stepAside(bytes);
    } else if (admission.kind === 'refused') {
      const headOnly = request.method === 'HEAD';
      this.writePieces([refusalBytes(admission.refusal, this.closing, headOnly)]);
      this.#waiting = restOf(bytes, request.end);
      if (this.closing) this.#endAfterReply(this.#waiting === undefined);
      else this.#next();
    } else {
      this.#begin(new FastCall(this.#deps, admission, request, this), request, bytes);
    }
  }

  #isSound(host: string): boolean {
    if (host === this.#soundHost) return true;
    if (parseAuthority(host) === undefined) return false;
    this.#soundHost = ownText(host);
    const lines = forwardingLines({ clientAddress: this.address, originalHost: host });
    this.#forwardingLines = ownText(lines);
    return true;
  }

  #begin(call: FastCall, request: CanonicalRequest, bytes: Buffer): void {
    const state = { kind: 'calling', call } as const;
    this.#state = state;
    if (request.end < bytes.length) this.#readBody(state, bytes, request.end);
    // The body may have ended the connection.
    if (this.#state === state) call.start();
  }

  #readBody(state: Extract<State, { call: FastCall }>, bytes: Buffer, from: number): void {
    const { call } = state;
    if (call.body.done) {
      this.#wait(bytes, from);
      return;
    }
    const taken = call.body.take(bytes, from);
    if (taken === undefined) {
      this.#refuseBody(state);
      return;
    }
    if (from + taken.used < bytes.length) this.#wait(bytes, from + taken.used);
    if (state.kind === 'calling') {
      if (taken.contents.length > 0 || taken.done) call.bodyCame(taken.contents);
    } else if (taken.done) this.#next();
  }

  /** The request cannot be completed. It is answered unless it has been, and no other one can be found. */
  #refuseBody(state: Extract<State, { call: FastCall }>): void {
    this.#state = over;
    if (state.kind === 'calling') {
      state.call.clientClosed();
      if (state.call.isReplying) {
        this.#socket.destroy();
        return;
      }
      this.writePieces([refusalBytes(malformedBody, true)]);
    }
    this.#endAfterReply(false);
  }

  #wait(bytes: Buffer, from: number): void {
    const rest = bytes.subarray(from);
    this.#waiting = this.#waiting === undefined ? rest : Buffer.concat([this.#waiting, rest]);
    if (this.#waiting.length > waitingBytesMax) this.#socket.pause();
  }

  /** The connection is free for what came meanwhile, or for what comes. */
  #next(): void {
    this.#state = idle;
    this.#heard = true;
    // In a turn of its own: a long pipeline must neither keep others waiting nor deepen the stack.
    if (this.#waiting !== undefined) setImmediate(this.#readWaiting);
  }

  readonly #readWaiting = (): void => {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#state.kind !== 'idle') return;
    if (this.#socket.destroyed || this.#socket.writableNeedDrain) return;
    this.#waiting = undefined;
    this.#socket.resume();
    this.#read(waiting);
  };

  /** `isRead`: the client has sent no more than was read. Closing else resets the connection, and the reply may be lost. */
  #endAfterReply(isRead: boolean): void {
    this.#state = over;
    this.#waiting = undefined;
    if (isRead && !this.hasUnsent) this.#socket.destroy();
    else if (isRead) this.#socket.destroySoon();
    else this.#socket.end().resume();
  }

  #stepAside(bytes: Buffer): void {
    this.#state = over;
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.off('drain', this.#onDrain).off('close', this.#onClose);
    this.#events.stepAside(this.#socket, bytes);
  }
}

/** Those that a decision may hang on. */
function fieldsForIntake(request: CanonicalRequest): readonly string[] {
  if (request.passing === undefined) return request.rawHeaders;
  return request.isIdempotent ? idempotent : noFields;
}

function restOf(bytes: Buffer, from: number): Buffer | undefined {
  return from < bytes.length ? bytes.subarray(from) : undefined;
}
