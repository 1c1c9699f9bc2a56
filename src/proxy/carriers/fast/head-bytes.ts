// What the heads of requests and replies are made of, byte by byte: tokens, texts, numbers and the names to look for.

export const cr = 13;
export const lf = 10;
export const space = 32;
const colon = 58;

const isToken = 1;
const isVisible = 2;
const isBeyondAscii = 4;
const isTarget = 8;

/** What each byte may be part of. */
const kinds = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~") kinds[character.charCodeAt(0)] = isToken;
for (let byte = 0x20; byte < 0x7f; byte++) {
  const isLetterOrDigit = /[0-9A-Za-z]/.test(String.fromCharCode(byte));
  kinds[byte] = (kinds[byte] ?? 0) | isVisible | (isLetterOrDigit ? isToken : 0);
  // Visible without `#`: a fragment is never sent (RFC 9112 §3.2).
  if (byte !== 0x20 && byte !== 0x23) kinds[byte] = (kinds[byte] ?? 0) | isTarget;
}
kinds[9] = isVisible;
for (let byte = 0x80; byte < 0x100; byte++) kinds[byte] = isBeyondAscii;

/** Where the token (RFC 9110 §5.6.2) that begins at `from` ends. */
function endOfToken(bytes: Buffer, from: number): number {
  return endOf(bytes, from, isToken);
}

/** Where a request's target that begins at `from` ends: visible ASCII without `#`. */
export function endOfTarget(bytes: Buffer, from: number): number {
  return endOf(bytes, from, isTarget);
}

/** Where a text of visible ASCII, spaces and tabs ends. */
export function endOfAscii(bytes: Buffer, from: number): number {
  return endOf(bytes, from, isVisible);
}

/** Where a text that may also have bytes beyond ASCII ends: no text goes on behind a control character. */
export function endOfText(bytes: Buffer, from: number): number {
  return endOf(bytes, from, isVisible | isBeyondAscii);
}

function endOf(bytes: Buffer, from: number, kind: number): number {
  let at = from;
  while (at < bytes.length && ((kinds[bytes[at] ?? 0] ?? 0) & kind) !== 0) at++;
  return at;
}

/** Who looks at the fields of a head one after another. */
export interface FieldReader {
  /** Of the line from `from` to `to`, whose name ends at `nameEnd`. False when the field must not be there. */
  note(bytes: Buffer, from: number, nameEnd: number, to: number): boolean;
}

/** The bytes end before the head does. */
export const incomplete = -1;
/** No further bytes make it a head. */
export const unsound = -2;

/**
 * Where the head whose fields begin at `from` ends, behind its empty line; negative when it is not complete, not sound, or
 * refused by the reader. `endOfValue`: which bytes values may have.
 */
export function endOfHead(
  bytes: Buffer,
  from: number,
  endOfValue: (bytes: Buffer, from: number) => number,
  reader: FieldReader,
): number {
  const { length } = bytes;
  let at = from;
  while (bytes[at] !== cr) {
    const nameEnd = endOfToken(bytes, at);
    if (nameEnd === at || bytes[nameEnd] !== colon)
      return nameEnd === length ? incomplete : unsound;
    const end = endOfValue(bytes, nameEnd + 1);
    if (bytes[end] !== cr || bytes[end + 1] !== lf) return end + 1 >= length ? incomplete : unsound;
    if (!reader.note(bytes, at, nameEnd, end)) return unsound;
    at = end + 2;
  }
  if (bytes[at + 1] === lf) return at + 2;
  return at + 1 === length ? incomplete : unsound;
}

/** Whether the text stands in the bytes at `from`. */
export function startsWith(bytes: Buffer, from: number, text: string): boolean {
  for (let index = 0; index < text.length; index++)
    if (bytes[from + index] !== text.charCodeAt(index)) return false;
  return true;
}

/**
 * The place of the first byte from `from` on that is no space, or `to`. A tab may stand there too (RFC 9110 §5.6.3), but where it
 * matters parsers do not agree on it: with one, a value is another value.
 */
export function afterSpace(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] === space) at++;
  return at;
}

/** The place behind the last byte before `to` that is no space, or `from`. */
export function beforeSpace(bytes: Buffer, from: number, to: number): number {
  let at = to;
  while (at > from && bytes[at - 1] === space) at--;
  return at;
}

const digitsMax = 15;

/** The decimal number between two places (RFC 9110 §8.6), up to what a number holds without doubt; -1 for anything else. */
export function readNumber(bytes: Buffer, from: number, to: number): number {
  if (from === to || to - from > digitsMax) return -1;
  let number = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

const lengthMax = 31;

/**
 * Finds a token in any case among a few, given in lower case, by its length and first letter, which no two of them may have
 * in common: most tokens that are looked up are none of them, and cost one look.
 */
export class TokenTable<Token extends string> {
  readonly #tokens: readonly (Token | undefined)[];

  constructor(tokens: readonly Token[]) {
    const table = Array.from<Token | undefined>({ length: (lengthMax + 1) * 32 });
    for (const token of tokens) {
      const key = keyOf(token.length, token.charCodeAt(0));
      if (token.length > lengthMax || table[key] !== undefined)
        throw new Error(`'${token}' does not fit into the table`);
      table[key] = token;
    }
    this.#tokens = table;
  }

  /** The bytes between the places must be a token. */
  find(bytes: Buffer, from: number, to: number): Token | undefined {
    const length = to - from;
    if (length === 0 || length > lengthMax) return undefined;
    const token = this.#tokens[keyOf(length, bytes[from] ?? 0)];
    if (token === undefined) return undefined;
    for (let index = 0; index < length; index++)
      // In tokens, this bit differs between upper and lower case letters only.
      if (((bytes[from + index] ?? 0) | 0x20) !== token.charCodeAt(index)) return undefined;
    return token;
  }
}

function keyOf(length: number, first: number): number {
  return length * 32 + (first & 31);
}
