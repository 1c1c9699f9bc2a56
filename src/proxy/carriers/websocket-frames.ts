// Where WebSocket frames begin and end in a stream of bytes (RFC 6455 §5.2), without looking into them.

/** Close frame of a server with status 1001, "going away". */
export const goingAwayFrame: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);

export class FrameTracker {
  readonly #header: number[] = [];
  #payloadBytes = 0;

  /** Between two frames: a frame of one's own may be put in here. */
  get atBoundary(): boolean {
    return this.#payloadBytes === 0 && this.#header.length === 0;
  }

  /** Goes on over the bytes. Returns the offset after the first frame that ends in them; undefined when none does. */
  push(chunk: Uint8Array): number | undefined {
    let first: number | undefined;
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#payloadBytes > 0) {
        const step = Math.min(this.#payloadBytes, chunk.length - offset);
        this.#payloadBytes -= step;
        offset += step;
      } else {
        this.#header.push(chunk[offset] ?? 0);
        offset++;
        if (this.#header.length === headerBytes(this.#header)) this.#beginPayload();
      }
      if (this.atBoundary) first ??= offset;
    }
    return first;
  }

  #beginPayload(): void {
    this.#payloadBytes = payloadBytes(this.#header);
    this.#header.length = 0;
  }
}

/** Length of the whole header; too large until its first two bytes are there. */
function headerBytes(header: readonly number[]): number {
  const second = header[1];
  if (second === undefined) return Infinity;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  return 2 + lengthBytes + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadBytes(header: readonly number[]): number {
  const short = (header[1] ?? 0) & 0x7f;
  if (short < 126) return short;
  const bytes = header.slice(2, short === 126 ? 4 : 10);
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}
