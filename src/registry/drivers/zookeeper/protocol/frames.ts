// Cuts the bytes of a connection into messages.
import { RegistryError } from '../../../../core/errors.ts';

/** The Java client's limit too; a list of some 50,000 instances. */
const frameBytesMax = 4 * 1024 * 1024;
const headBytes = 4;

export class FrameSplitter {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Nothing can be cut before so many bytes are there. */
  #needed = headBytes;

  /** Takes more bytes and returns the messages that they complete. Throws a RegistryError for one that is too long. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return [];
    const bytes = Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    let offset = 0;
    this.#needed = headBytes;
    while (bytes.length - offset >= headBytes) {
      const length = bytes.readInt32BE(offset);
      if (length < 0 || length > frameBytesMax) {
        throw new RegistryError('registry_invalid', `zookeeper: a message of ${length} bytes`);
      }
      this.#needed = headBytes + length;
      if (bytes.length - offset < this.#needed) break;
      frames.push(bytes.subarray(offset + headBytes, offset + this.#needed));
      offset += this.#needed;
      this.#needed = headBytes;
    }
    this.#chunks = [bytes.subarray(offset)];
    this.#length = bytes.length - offset;
    return frames;
  }
}
