// Reads the heads of replies strictly: what is not plain HTTP/1.x is a bad response.
import { STATUS_CODES } from 'node:http';
import { hasNoContent } from '../../headers.ts';
import {
  afterSpace,
  beforeSpace,
  cr,
  endOfAscii,
  endOfHead,
  endOfText,
  type FieldReader,
  incomplete,
  lf,
  readNumber,
  space,
  startsWith,
  TokenTable,
  unsound,
} from './head-bytes.ts';
import { LineCuts, splitFields } from './head-text.ts';

/** As on the general lane; more is a bad response. */
export const headBytesMax = 65_536;

/** The fields that are looked at. What is not among them is passed on as it is. */
const telling = new TokenTable([
  ...(['content-length', 'transfer-encoding', 'connection', 'keep-alive'] as const),
  ...(['outrigger-error', 'outrigger-retryable'] as const),
  ...(['http2-settings', 'te', 'trailer', 'upgrade', 'proxy-authenticate'] as const),
  ...(['proxy-authentication-info', 'proxy-authorization', 'proxy-connection'] as const),
]);

const connectionOptions = new TokenTable(['close', 'keep-alive'] as const);
const codings = new TokenTable(['chunked'] as const);

/** What is not longer is made one text, with the contents that came with the head. */
export const shortBytesMax = 16_384;

export class CanonicalReply {
  readonly status: number;
  /** The status and the instance's own words, unless they could not be written as they are; with the line's end. */
  readonly statusText: string;
  /** The body's length, `chunked`, or `close` when it ends with the connection (RFC 9112 §6.3). */
  readonly body: number | 'chunked' | 'close';
  /** The connection can carry another request after this reply. */
  readonly keepAlive: boolean;
  /** For how long the instance says that it keeps an idle connection; Infinity when it does not say. */
  readonly keepAliveMs: number;
  /** Lines of fields that can be passed on as they are; undefined when fields must be looked at one by one. */
  readonly passing: string | undefined;
  /** Where the head ends in the bytes. */
  readonly end: number;
  /** What came with it, one character a byte, unless that is much. */
  readonly rest: string;
  readonly #fields: string;

  /** `text`: the head, and what came with it. */
  constructor(found: ReplyReader, text: string, end: number, headOnly: boolean) {
    this.status = found.status;
    this.statusText = found.hasPlainWords
      ? text.slice(statusFrom, found.fieldsFrom)
      : `${found.status} ${STATUS_CODES[found.status] ?? ''}\r\n`;
    this.body = hasNoBody(found.status, headOnly) ? 0 : found.body;
    const stays = found.isVersion11 ? !found.closes : found.stays;
    this.keepAlive = stays && this.body !== 'close' && !found.announcesInVain;
    this.keepAliveMs = found.keepAliveMs;
    this.#fields = text.slice(found.fieldsFrom, end - 2);
    this.passing = found.isPassing ? found.cuts.apply(text, found.fieldsFrom, end) : undefined;
    this.end = end;
    this.rest = text.slice(end);
  }

  /** Names and values of all fields in turn, one character a byte. */
  get rawHeaders(): readonly string[] {
    return splitFields(this.#fields);
  }
}

/** RFC 9110 §6.4.1. */
function hasNoBody(status: number, headOnly: boolean): boolean {
  return headOnly || hasNoContent(status) || status === 304;
}

const versions = ['HTTP/1.1 ', 'HTTP/1.0 '] as const;
const statusFrom = 9;

/** What begins without a whole status line may be the beginning of one. */
function endOfNoLine(bytes: Buffer): number {
  const start = bytes.toString('latin1', 0, statusFrom);
  const isBegun = versions.some((version) => version.startsWith(start));
  return isBegun && !bytes.includes(lf) ? incomplete : unsound;
}

/** Reads one head after another, and remembers of each what it has found until the next one. */
export class ReplyReader implements FieldReader {
  status = 0;
  isVersion11 = false;
  /** Words there are, and of ASCII alone. */
  hasPlainWords = false;
  fieldsFrom = 0;
  /** -1: there is no Content-Length. */
  length = -1;
  isChunked = false;
  closes = false;
  stays = false;
  keepAliveMs = Infinity;
  isPassing = true;
  readonly cuts = new LineCuts();

  /** The reply whose head begins the bytes; `headOnly`: the request was HEAD. */
  read(bytes: Buffer, headOnly: boolean): CanonicalReply | 'incomplete' | 'bad' {
    this.#clear();
    const isLine = this.#readLine(bytes);
    const end = isLine ? endOfHead(bytes, this.fieldsFrom, endOfText, this) : endOfNoLine(bytes);
    if (end === incomplete && bytes.length <= headBytesMax) return 'incomplete';
    // Framed in two ways is not framed.
    if (end < 0 || end > headBytesMax || (this.isChunked && this.length !== -1)) return 'bad';
    const isShort = bytes.length <= shortBytesMax;
    const text = bytes.toString('latin1', 0, isShort ? bytes.length : end);
    return new CanonicalReply(this, text, end, headOnly);
  }

  /** The same as the general lane's. */
  get announcesInVain(): boolean {
    return hasNoContent(this.status) && (this.isChunked || this.length > 0);
  }

  get body(): CanonicalReply['body'] {
    if (this.isChunked) return 'chunked';
    return this.length === -1 ? 'close' : this.length;
  }

  #clear(): void {
    this.length = -1;
    this.isChunked = this.closes = this.stays = false;
    this.keepAliveMs = Infinity;
    this.isPassing = true;
    this.cuts.clear();
  }

  /** `HTTP/1.1 200 OK`, where the words and the space before them may be missing. */
  #readLine(bytes: Buffer): boolean {
    this.isVersion11 = startsWith(bytes, 0, versions[0]);
    if (!this.isVersion11 && !startsWith(bytes, 0, versions[1])) return false;
    const statusTo = statusFrom + 3;
    this.status = readNumber(bytes, statusFrom, Math.min(statusTo, bytes.length));
    if (this.status < 100) return false;
    const end = bytes[statusTo] === space ? endOfText(bytes, statusTo) : statusTo;
    this.hasPlainWords = end > statusTo && endOfAscii(bytes, statusTo) === end;
    this.fieldsFrom = end + 2;
    return bytes[end] === cr && bytes[end + 1] === lf;
  }

  /** False when the field in the line from `from` to `to` must not be there, or not twice. */
  note(bytes: Buffer, from: number, nameEnd: number, to: number): boolean {
    const name = telling.find(bytes, from, nameEnd);
    if (name === undefined) return true;
    const valueFrom = afterSpace(bytes, nameEnd + 1, to);
    const valueTo = beforeSpace(bytes, valueFrom, to);
    switch (name) {
      case 'content-length':
        if (hasNoContent(this.status)) this.isPassing &&= this.cuts.add(from, to + 2);
        return this.#noteLength(bytes, valueFrom, valueTo);
      case 'transfer-encoding':
        if (this.isChunked) return false;
        this.isChunked = codings.find(bytes, valueFrom, valueTo) !== undefined;
        this.isPassing &&= this.cuts.add(from, to + 2);
        return this.isChunked;
      case 'connection':
        this.#noteConnection(bytes, valueFrom, valueTo);
        this.isPassing &&= this.cuts.add(from, to + 2);
        return true;
      case 'keep-alive': {
        const value = bytes.toString('latin1', valueFrom, valueTo);
        const seconds = /(?:^|[, ])timeout=(\d{1,6})/.exec(value)?.[1];
        if (seconds !== undefined) this.keepAliveMs = Number(seconds) * 1000;
        this.isPassing &&= this.cuts.add(from, to + 2);
        return true;
      }
      default:
        this.isPassing = false;
        return true;
    }
  }

  #noteLength(bytes: Buffer, from: number, to: number): boolean {
    if (this.length !== -1) return false;
    this.length = readNumber(bytes, from, to);
    return this.length !== -1;
  }

  /** Options that name other fields are for those who look at fields one by one. */
  #noteConnection(bytes: Buffer, from: number, to: number): void {
    const option = connectionOptions.find(bytes, from, to);
    this.closes ||= option === 'close';
    this.stays ||= option === 'keep-alive';
    if (option !== undefined) return;
    const value = bytes.toString('latin1', from, to);
    this.closes ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value);
    this.stays ||= /(?:^|,) *keep-alive *(?:,|$)/i.test(value);
    this.isPassing = false;
  }
}
