// Walks through a chunked body (RFC 9112 §7.1) as it comes, byte range by byte range, and finds its end.

/** What became of the bytes given. */
export interface Walk {
  /** The chunks' contents in these bytes. */
  readonly contents: readonly Buffer[];
  /** How many bytes belong to the body; the others are of what follows it. */
  readonly used: number;
  readonly done: boolean;
}

/** Where in a chunk the walk is. */
type Place =
  'size' | 'extension' | 'size-lf' | 'content' | 'content-cr' | 'content-lf' | 'trailer' | 'over';

/** A larger chunk is no chunk but an attack. */
const sizeDigitsMax = 8;
const extensionBytesMax = 1024;
const trailerBytesMax = 16_384;

const cr = 13;
const lf = 10;
const semicolon = 59;

/** Accepts only CRLF as a line's end. Chunk extensions are dropped (they speak to the next hop); trailers are kept. */
export class ChunkedWalk {
  #place: Place = 'size';
  #digits = 0;
  #size = 0;
  #extension = '';
  #trailer = '';

  /** The trailer fields' text, each line with its end; only after `done`. */
  get trailer(): string {
    return this.#trailer;
  }

  /** Undefined when the bytes are no chunked body. */
  walk(bytes: Buffer, from: number): Walk | undefined {
    const contents: Buffer[] = [];
    let at = from;
    while (at < bytes.length && this.#place !== 'over') {
      if (this.#place === 'content') {
        const end = Math.min(bytes.length, at + this.#size);
        contents.push(bytes.subarray(at, end));
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#place = 'content-cr';
      } else if (this.#place === 'trailer') {
        const next = this.#walkTrailer(bytes, at);
        if (next === undefined) return undefined;
        at = next;
      } else if (!this.#step(bytes[at++] ?? 0)) return undefined;
    }
    return { contents, used: at - from, done: this.#place === 'over' };
  }

  /** One byte of what is between the contents. False when it must not be there. */
  #step(byte: number): boolean {
    switch (this.#place) {
      case 'size':
        return this.#stepSize(byte);
      case 'extension':
        return this.#stepExtension(byte);
      case 'size-lf':
        this.#place = this.#size === 0 ? 'trailer' : 'content';
        return byte === lf;
      case 'content-cr':
        this.#place = 'content-lf';
        return byte === cr;
      case 'content-lf':
        this.#place = 'size';
        this.#digits = 0;
        this.#extension = '';
        return byte === lf;
      default:
        return false;
    }
  }

  #stepSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits <= sizeDigitsMax;
    }
    if (this.#digits === 0) return false;
    if (byte === semicolon) {
      this.#place = 'extension';
      this.#extension = ';';
    } else if (byte === cr) this.#place = 'size-lf';
    else return false;
    return true;
  }

  /** Dropped in the end, and yet it must be one: no two parsers may see two ends of it. */
  #stepExtension(byte: number): boolean {
    if (byte === cr) {
      this.#place = 'size-lf';
      return extensionPattern.test(this.#extension);
    }
    this.#extension += String.fromCharCode(byte);
    return this.#extension.length <= extensionBytesMax;
  }

  /** Collects whole lines until the empty one. Undefined when they are too long or no fields. */
  #walkTrailer(bytes: Buffer, from: number): number | undefined {
    const before = this.#trailer.length;
    const room = trailerBytesMax - before;
    this.#trailer += bytes.toString('latin1', from, Math.min(bytes.length, from + room));
    const text = this.#trailer;
    const empty = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
    const isComplete = text.startsWith('\r\n') || empty > 1;
    if (!isComplete) return text.length >= trailerBytesMax ? undefined : bytes.length;
    this.#trailer = text.slice(0, empty);
    if (!trailerPattern.test(this.#trailer) || framingPattern.test(this.#trailer)) return undefined;
    this.#place = 'over';
    return from + empty + 2 - before;
  }
}

/** RFC 9112 §7.1.1 without white space and escapes. */
const extensionPattern =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*$/;

/** RFC 9110 §6.5.1: no trailer field may say where a message ends. */
const framingPattern = /^(?:content-length|transfer-encoding):/im;

const trailerPattern = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
