// Jute, the encoding of ZooKeeper's messages: big-endian numbers, and texts and vectors that begin with their length.
import { RegistryError } from '../../../../core/errors.ts';

/** Encodes one message; `frame` ends it. */
export class JuteWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  long(value: bigint): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigInt64BE(value);
    this.#parts.push(part);
    return this;
  }

  bool(value: boolean): this {
    this.#parts.push(Buffer.of(value ? 1 : 0));
    return this;
  }

  bytes(value: Buffer): this {
    this.int(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  /** The message with its length before it, as it is sent. */
  frame(): Buffer {
    const message = Buffer.concat(this.#parts);
    const head = Buffer.allocUnsafe(4);
    head.writeInt32BE(message.length);
    return Buffer.concat([head, message]);
  }
}

/** Decodes one message. Every method throws a RegistryError (`registry_invalid`) when the message ends too early. */
export class JuteReader {
  readonly #message: Buffer;
  #offset = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  int(): number {
    return this.#message.readInt32BE(this.#skip(4));
  }

  long(): bigint {
    return this.#message.readBigInt64BE(this.#skip(8));
  }

  /** An absent value has the length -1 and is read as empty. */
  bytes(): Buffer {
    const length = Math.max(0, this.int());
    const start = this.#skip(length);
    return this.#message.subarray(start, start + length);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  texts(): readonly string[] {
    const texts: string[] = [];
    for (let count = this.int(); count > 0; count--) texts.push(this.text());
    return texts;
  }

  #skip(length: number): number {
    const start = this.#offset;
    if (start + length > this.#message.length) {
      throw new RegistryError('registry_invalid', 'zookeeper: a message ends too early');
    }
    this.#offset = start + length;
    return start;
  }
}
