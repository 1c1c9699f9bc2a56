// The replay buffer: passes a request's body on as it comes, and keeps its beginning for a second attempt.
import { Readable } from 'node:stream';

export interface ReplayOptions {
  /** How much of the body is kept; a longer body cannot be sent again. */
  readonly bytesMax: number;
  /** Called once, when the body first is wanted. */
  readonly onWanted: () => void;
  /** Called once, when the body has become too long to be sent again. */
  readonly onLost: () => void;
}

/** Owns the reading of the body: nobody else may read from the source. Its errors stay the source's owner's. */
export class ReplayBuffer {
  readonly #source: Readable;
  readonly #options: ReplayOptions;
  /** What came so far; undefined when it grew too long. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #phase: 'unread' | 'reading' | 'ended' = 'unread';
  #reader: BodyReader | undefined;

  constructor(source: Readable, options: ReplayOptions) {
    this.#source = source;
    this.#options = options;
  }

  /**
   * - `client`: more of the body is to come.
   * - `instance`: the current reader takes no more at present.
   * - `nobody`: all of it has been read.
   */
  get waitsFor(): 'client' | 'instance' | 'nobody' {
    if (this.#phase === 'ended' && (this.#reader?.readableLength ?? 0) === 0) return 'nobody';
    return this.#source.isPaused() || this.#phase === 'ended' ? 'instance' : 'client';
  }

  /** The body from its first byte on, for one attempt; the reader of the attempt before is ended. Not after `onLost`. */
  open(): Readable {
    this.#detach();
    const reader = new BodyReader({
      wanted: () => {
        this.#pull(reader);
      },
      closed: () => {
        if (this.#reader === reader) this.#detach();
      },
    });
    this.#reader = reader;
    for (const chunk of this.#kept ?? []) reader.push(chunk);
    if (this.#phase === 'ended') reader.push(null);
    return reader;
  }

  /** Reads the rest of the body to nowhere, so that the connection can carry a next request. */
  discard(): void {
    this.#detach();
    this.#kept = undefined;
    if (this.#phase === 'reading') this.#source.resume();
  }

  #pull(reader: BodyReader): void {
    if (this.#reader !== reader || this.#phase === 'ended') return;
    if (this.#phase === 'unread') this.#begin();
    this.#source.resume();
  }

  #begin(): void {
    this.#phase = 'reading';
    this.#source.on('data', (chunk: Buffer) => {
      this.#keep(chunk);
      if (this.#reader?.push(chunk) === false) this.#source.pause();
    });
    this.#source.once('end', () => {
      this.#phase = 'ended';
      this.#reader?.push(null);
    });
    this.#options.onWanted();
  }

  #keep(chunk: Buffer): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes <= this.#options.bytesMax) {
      this.#kept.push(chunk);
      return;
    }
    this.#kept = undefined;
    this.#options.onLost();
  }

  #detach(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#phase === 'reading') this.#source.pause();
    reader?.destroy();
  }
}

interface BodyReaderOwner {
  wanted(): void;
  closed(): void;
}

class BodyReader extends Readable {
  readonly #owner: BodyReaderOwner;

  constructor(owner: BodyReaderOwner) {
    super({ highWaterMark: 65_536 });
    this.#owner = owner;
  }

  override _read(): void {
    this.#owner.wanted();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#owner.closed();
    callback(error);
  }
}
