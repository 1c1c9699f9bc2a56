// The beginning of a head that comes in many pieces: what came is neither copied nor searched again with each of them.

const emptyLine = '\r\n\r\n';

export class PartialHead {
  readonly #bytesMax: number;
  #bytes: Buffer;
  #length: number;

  /** `bytes`: no whole head. They are copied. `bytesMax`: what is longer is none. */
  constructor(bytes: Buffer, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = Buffer.from(bytes);
    this.#length = bytes.length;
  }

  /** All that came, as soon as the head's end may be there or it is too long; it is nobody else's. */
  add(bytes: Buffer): Buffer | undefined {
    const searched = Math.max(0, this.#length - emptyLine.length + 1);
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#grow(length);
    bytes.copy(this.#bytes, this.#length);
    this.#length = length;
    const all = this.#bytes.subarray(0, length);
    return length > this.#bytesMax || all.includes(emptyLine, searched) ? all : undefined;
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * length);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
