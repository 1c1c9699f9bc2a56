// One connection of the fast lane to an instance: a request out, its reply in, one at a time.
import { Socket } from 'node:net';
import { ChunkedWalk } from './chunked.ts';
import { writePieces } from './framing.ts';
import type { PoolDeps } from './lane-deps.ts';
import { PartialHead } from './partial-head.ts';
import { ReadBuffer } from './read-buffer.ts';
import { headBytesMax, shortBytesMax, type CanonicalReply } from './reply-head.ts';

/** What the connection tells of the reply to the request that was sent last. After `ended` or `failed` nothing more. */
export interface ReplyEvents {
  /** The answer with all of its body in `rest`. */
  whole(reply: CanonicalReply): void;
  /** A 1xx that is not the answer. */
  interim(reply: CanonicalReply): void;
  /**
   * The answer's head. `more`: bytes of its body have come with it and follow at once. False: nothing more of it is wanted,
   * and the connection is destroyed.
   */
  replied(reply: CanonicalReply, more: boolean): boolean;
  /** Contents of the body, as they came; several at once when several chunks came together. */
  contents(pieces: readonly Buffer[]): Flow;
  /** `trailer`: the lines of the trailer fields. */
  ended(trailer: string): void;
  /** `untouched`: not a byte of a reply had come. `malformed`: what came is not HTTP. */
  failed(cause: string, how: 'untouched' | 'malformed' | 'broken'): void;
  /** The instance takes bytes again. */
  drained(): void;
}

/**
 * What became of contents. `sent`: nobody needs them any more. `queued`: they are still to be sent. `full`: so they are, and
 * no more are wanted until `resume`, when they have been.
 */
export type Flow = 'sent' | 'queued' | 'full';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'head' }
  | { readonly kind: 'length'; remaining: number }
  | { readonly kind: 'chunked'; readonly walk: ChunkedWalk }
  | { readonly kind: 'until-close' }
  | { readonly kind: 'over' };

/** More 1xx replies to one request mean nothing but harm. */
const interimsMax = 64;

const idle: State = { kind: 'idle' };
const waitingForHead: State = { kind: 'head' };
const over: State = { kind: 'over' };

export class InstanceConnection {
  /** Not to be read or written by anybody else once it is connected. */
  readonly socket: Socket;
  readonly #deps: PoolDeps;
  readonly #buffer: ReadBuffer;
  #state: State = idle;
  #events: ReplyEvents | undefined;
  #headOnly = false;
  /** The beginning of a head that has not come whole. */
  #begun: PartialHead | undefined;
  #reply: CanonicalReply | undefined;
  #interims = 0;
  /** It has carried a request before. */
  reused = false;
  /** Monotonic ms when it was put aside, and for how long it may be kept. */
  idleSinceMs = 0;
  keepAliveMs = Infinity;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    const buffer = new ReadBuffer(deps.readBuffers);
    this.#buffer = buffer;
    const callback = (count: number): boolean => {
      this.#read(buffer.current.subarray(0, count));
      return true;
    };
    const onread = { buffer: () => buffer.current, callback };
    const options = { allowHalfOpen: true, onread };
    this.socket = new Socket(options);
    this.socket.on('end', () => this.#ended());
    this.socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#lost(error.code ?? error.message),
    );
    this.socket.on('close', () => this.#lost('connection closed'));
    this.socket.on('drain', () => this.#events?.drained());
  }

  get usable(): boolean {
    return this.#state.kind === 'idle';
  }

  /** The reply has ended and the connection can carry another request. */
  get reusable(): boolean {
    return this.usable && this.#reply?.keepAlive === true;
  }

  onClose(listener: () => void): void {
    this.socket.once('close', listener);
  }

  /** Begins a request. False: the instance takes no more bytes until `drained`. */
  send(text: string, headOnly: boolean, events: ReplyEvents): boolean {
    this.#events = events;
    this.#headOnly = headOnly;
    this.#state = waitingForHead;
    this.#reply = undefined;
    this.#interims = 0;
    return this.#deps.turnWrites.write(this.socket, text);
  }

  /** More of the request's body. */
  write(pieces: readonly Buffer[]): boolean {
    return writePieces(this.socket, pieces);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Ends it at once and silently. Idempotent. */
  destroy(): void {
    this.#buffer.release();
    this.#state = over;
    this.#events = undefined;
    this.socket.destroy();
  }

  /** The bytes are there until this returns. */
  #read(bytes: Buffer): void {
    const { kind } = this.#state;
    if (kind === 'head') this.#readHead(bytes);
    else if (kind === 'over') return;
    // Nobody asked: whatever it is, it must not be taken for a later reply.
    else if (kind === 'idle') this.destroy();
    else this.#readBody(this.#buffer.body(bytes));
  }

  #readHead(bytes: Buffer): void {
    if (this.#begun === undefined) {
      this.#readFirst(bytes);
      return;
    }
    const all = this.#begun.add(bytes);
    if (all === undefined) return;
    this.#begun = undefined;
    this.#takeHeads(this.#deps.replies.read(all, this.#headOnly), all);
  }

  /** Most replies come whole: those are passed on in one piece. */
  #readFirst(bytes: Buffer): void {
    const reply = this.#deps.replies.read(bytes, this.#headOnly);
    const isWhole =
      typeof reply === 'object' &&
      reply.status >= 200 &&
      reply.end + Number(reply.body) === bytes.length;
    if (!isWhole || bytes.length > shortBytesMax) {
      this.#takeHeads(reply, Buffer.from(bytes));
      return;
    }
    const events = this.#events;
    this.#reply = reply;
    this.keepAliveMs = reply.keepAliveMs;
    this.#events = undefined;
    this.#state = idle;
    events?.whole(reply);
  }

  /** `first` is the head that `all` begins with. Any number of 1xx heads may stand before the answer's. */
  #takeHeads(first: CanonicalReply | 'incomplete' | 'bad', all: Buffer): void {
    let reply = first;
    let rest = all;
    while (typeof reply === 'object' && reply.status < 200) {
      if (!this.#takeInterim(reply)) return;
      rest = rest.subarray(reply.end);
      if (rest.length === 0) return;
      reply = this.#deps.replies.read(rest, this.#headOnly);
    }
    if (reply === 'incomplete') this.#begun = new PartialHead(rest, headBytesMax);
    else if (reply === 'bad') this.#fail('the reply is not plain HTTP', 'malformed');
    else this.#begin(reply, rest);
  }

  /** False when there is no answer to wait for any more. */
  #takeInterim(reply: CanonicalReply): boolean {
    this.#interims++;
    if (reply.status === 101) {
      // Nobody asked to switch protocols.
      this.#fail('bad upgrade', 'malformed');
    } else if (this.#interims > interimsMax) {
      this.#fail('too many interim replies', 'malformed');
    } else if (reply.status > 101) {
      // RFC 9110 §15.2.1: nobody waits for `100 Continue` on this lane.
      this.#events?.interim(reply);
    }
    return this.#state.kind === 'head';
  }

  #begin(reply: CanonicalReply, all: Buffer): void {
    this.#reply = reply;
    this.keepAliveMs = reply.keepAliveMs;
    this.#state = bodyState(reply);
    if (this.#events?.replied(reply, reply.end < all.length) === false) {
      this.destroy();
      return;
    }
    const rest = reply.end < all.length ? all.subarray(reply.end) : undefined;
    if (reply.body === 0) this.#finish('', rest);
    else if (rest !== undefined) this.#readBody(rest);
  }

  #readBody(bytes: Buffer): void {
    const state = this.#state;
    if (state.kind === 'length') {
      const own = bytes.length <= state.remaining ? bytes : bytes.subarray(0, state.remaining);
      state.remaining -= own.length;
      this.#pass([own]);
      if (state.remaining === 0)
        this.#finish('', own.length < bytes.length ? bytes.subarray(own.length) : undefined);
    } else if (state.kind === 'until-close') {
      this.#pass([bytes]);
    } else if (state.kind === 'chunked') {
      const walked = state.walk.walk(bytes, 0);
      if (walked === undefined) {
        this.#fail('the reply is not plain HTTP', 'broken');
        return;
      }
      if (walked.contents.length > 0) this.#pass(walked.contents);
      if (walked.done) {
        const rest = walked.used < bytes.length ? bytes.subarray(walked.used) : undefined;
        this.#finish(state.walk.trailer, rest);
      }
    }
  }

  #pass(pieces: readonly Buffer[]): void {
    const flow = this.#events?.contents(pieces) ?? 'sent';
    if (flow === 'full') this.socket.pause();
    if (flow !== 'sent') this.#buffer.lend(flow === 'full');
  }

  #finish(trailer: string, rest: Buffer | undefined): void {
    const events = this.#events;
    // The events may have destroyed the connection.
    if (events === undefined) return;
    this.#events = undefined;
    this.#state = idle;
    this.#buffer.release();
    if (rest !== undefined) this.destroy();
    else if (this.socket.isPaused()) this.socket.resume();
    events.ended(trailer);
  }

  /** The instance has said all: the regular end of some replies, and the end of the connection in any case. */
  #ended(): void {
    if (this.#state.kind === 'until-close') {
      this.#finish('', undefined);
      this.destroy();
    } else this.#lost('connection closed');
  }

  #lost(cause: string): void {
    const { kind } = this.#state;
    if (kind === 'over') return;
    if (kind === 'idle') this.destroy();
    else if (kind === 'head') this.#fail(cause, this.#begun === undefined ? 'untouched' : 'broken');
    else this.#fail(cause, 'broken');
  }

  #fail(cause: string, how: 'untouched' | 'malformed' | 'broken'): void {
    const events = this.#events;
    this.destroy();
    events?.failed(cause, how);
  }
}

function bodyState({ body }: CanonicalReply): State {
  if (body === 'chunked') return { kind: 'chunked', walk: new ChunkedWalk() };
  return body === 'close' ? { kind: 'until-close' } : { kind: 'length', remaining: body };
}
