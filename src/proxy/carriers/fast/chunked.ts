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

/** Zeroes before a size mean nothing; more of them than this do not come from anybody who means well. */
const sizeDigitsMax = 16;
const extensionBytesMax = 1024;
const trailerBytesMax = 16_384;

const cr = 13;
const lf = 10;
const semicolon = 59;
/** What ends a trailer. Its first half is also the end of the line before, so that there may be no field at all. */
const emptyLine = [cr, lf, cr, lf] as const;

/** Accepts only CRLF as a line's end. Chunk extensions are dropped (they speak to the next hop); trailers are kept. */
export class ChunkedWalk {
  #place: Place = 'size';
  #digits = 0;
  #size = 0;
  #extension = '';
  #trailer = '';
  /** How much of the empty line has come. */
  #emptyLineBytes = 2;

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
      return ++this.#digits <= sizeDigitsMax && this.#size <= Number.MAX_SAFE_INTEGER;
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

  /** Collects what comes up to the empty line. Undefined when that is too long or no fields. */
  #walkTrailer(bytes: Buffer, from: number): number | undefined {
    let at = from;
    while (at < bytes.length && this.#emptyLineBytes < emptyLine.length) {
      const byte = bytes[at++];
      if (byte === emptyLine[this.#emptyLineBytes]) this.#emptyLineBytes++;
      else this.#emptyLineBytes = byte === cr ? 1 : 0;
    }
    if (this.#trailer.length + at - from > trailerBytesMax) return undefined;
    this.#trailer += bytes.toString('latin1', from, at);
    if (this.#emptyLineBytes < emptyLine.length) return at;
    this.#trailer = this.#trailer.slice(0, -2);
    if (!trailerPattern.test(this.#trailer) || framingPattern.test(this.#trailer)) return undefined;
    this.#place = 'over';
    return at;
  }
}

/** RFC 9112 §7.1.1 without white space, where parsers do not agree. */
const extensionPattern =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;

/** RFC 9110 §6.5.1: no trailer field may say where a message ends. */
const framingPattern = /^(?:content-length|transfer-encoding):/im;

const trailerPattern = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
