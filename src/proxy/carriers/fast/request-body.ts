// A request's body as it comes from the client: where it ends, and its beginning, kept for a second attempt.
import { ChunkedWalk, type Walk } from './chunked.ts';
import type { CanonicalRequest } from './request-head.ts';

/** A body that stands still in the middle for so long, because of who sends it or who takes it, is given up. */
export const bodyIdleTimeoutMs = 60_000;
/** A body of very small pieces is kept in larger ones. */
const keptPiecesMax = 64;

export class RequestBody {
  readonly #walk: ChunkedWalk | undefined;
  readonly #keptBytesMax: number;
  #remaining: number;
  #done: boolean;
  /** What came so far; undefined when it grew too long to be kept. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;

  constructor(body: CanonicalRequest['body'], keptBytesMax: number) {
    this.#walk = body === 'chunked' ? new ChunkedWalk() : undefined;
    this.#remaining = body === 'chunked' ? 0 : body;
    this.#done = body === 0;
    this.#keptBytesMax = keptBytesMax;
  }

  get isChunked(): boolean {
    return this.#walk !== undefined;
  }

  /** All of it has come. */
  get done(): boolean {
    return this.#done;
  }

  /** From its first byte on; undefined when it cannot be sent again. */
  get kept(): readonly Buffer[] | undefined {
    return this.#kept;
  }

  /** More of it has come than may be kept: until the rest is sent on, no more must come. */
  get isFull(): boolean {
    return this.#keptBytes > this.#keptBytesMax;
  }

  /** Takes what belongs to the body. Undefined when the bytes are no body. */
  take(bytes: Buffer, from: number): Walk | undefined {
    const taken =
      this.#walk === undefined ? this.#count(bytes, from) : this.#walk.walk(bytes, from);
    if (taken?.done === true) this.#done = true;
    return taken;
  }

  #count(bytes: Buffer, from: number): Walk {
    const used = Math.min(this.#remaining, bytes.length - from);
    this.#remaining -= used;
    const contents = used === 0 ? [] : [bytes.subarray(from, from + used)];
    return { contents, used, done: this.#remaining === 0 };
  }

  /** Remembers contents for when they are sent, for the first time or again. */
  keep(contents: readonly Buffer[]): void {
    if (this.#kept === undefined) return;
    for (const piece of contents) this.#keptBytes += piece.length;
    this.#kept.push(...contents);
    if (this.#kept.length > keptPiecesMax) this.#kept = [Buffer.concat(this.#kept)];
  }

  /** What is too long is not kept any more, now that it was sent. True when that has just happened. */
  forgetIfFull(): boolean {
    if (!this.isFull || this.#kept === undefined) return false;
    this.#kept = undefined;
    return true;
  }
}
