// What connections to instances read into: one buffer for all of them, and one of its own for each that reads a long body.

/** Long enough that few replies come in more than one read. */
const sharedBytes = 262_144;
const ownBytes = 65_536;
/** A read of a body that brings this much is one of many. */
const longBytesMin = 65_536;
const sparesMax = 8;

/** For all connections of a lane. */
export class ReadBuffers {
  /** What is to last beyond the read must be copied from it. */
  readonly shared = Buffer.allocUnsafeSlow(sharedBytes);
  readonly #spares: Buffer[] = [];

  take(): Buffer {
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(ownBytes);
  }

  giveBack(buffer: Buffer): void {
    if (this.#spares.length < sparesMax) this.#spares.push(buffer);
  }
}

/** For one connection. */
export class ReadBuffer {
  readonly #buffers: ReadBuffers;
  #own: Buffer | undefined;
  #isLent = false;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
  }

  /** What the next read goes to. */
  get current(): Buffer {
    return this.#own ?? this.#buffers.shared;
  }

  /** Bytes of a body that were read, for whoever says when it does not need them any more: copied, unless there are many. */
  body(bytes: Buffer): Buffer {
    this.#isLent = false;
    if (this.#own !== undefined) return bytes;
    const copy = Buffer.from(bytes);
    if (bytes.length >= longBytesMin) this.#own = this.#buffers.take();
    return copy;
  }

  /** Somebody has yet to read what was read last. `paused`: there is no further read until it has. */
  lend(paused: boolean): void {
    if (this.#own === undefined) return;
    // The old one is forgotten, and goes when its reader does.
    if (!paused) this.#own = this.#buffers.take();
    this.#isLent = paused;
  }

  /** The body has ended. */
  release(): void {
    if (this.#own !== undefined && !this.#isLent) this.#buffers.giveBack(this.#own);
    this.#own = undefined;
    this.#isLent = false;
  }
}
