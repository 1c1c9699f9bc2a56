// Reads the heads of replies strictly: what is not plain HTTP/1.x is a bad response.
import { lengthsOf } from '../../field-names.ts';
import { endOfHead, readLength, splitFields } from './head-text.ts';

/** As on the general lane; more is a bad response. */
const headBytesMax = 65_536;

export interface CanonicalReply {
  readonly status: number;
  readonly message: string;
  /** Names and values in turn, one character a byte. */
  readonly rawHeaders: readonly string[];
  /** The body's length, `chunked`, or `close` when it ends with the connection (RFC 9112 §6.3). */
  readonly body: number | 'chunked' | 'close';
  /** The connection can carry another request after this reply. */
  readonly keepAlive: boolean;
  /** For how long the instance says that it keeps an idle connection; Infinity when it does not say. */
  readonly keepAliveMs: number;
  /** Where the head ends in the bytes. */
  readonly end: number;
}

/** Interim replies before the answer have a head of their own. */
const pattern =
  /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n$/;

/** The reply whose head begins the bytes; `headOnly`: the request was HEAD. */
export function readReply(bytes: Buffer, headOnly: boolean): CanonicalReply | 'incomplete' | 'bad' {
  const end = endOfHead(bytes, 0);
  if ((end === -1 ? bytes.length : end) > headBytesMax) return 'bad';
  if (end === -1) return 'incomplete';
  const match = pattern.exec(bytes.toString('latin1', 0, end));
  if (match === null) return 'bad';
  const [, minor, digits, message = '', fields = ''] = match;
  const status = Number(digits);
  const rawHeaders = splitFields(fields);
  const found = readFields(rawHeaders);
  const framed = found === undefined ? 'bad' : bodyOf(found.length, found.encoding);
  if (found === undefined || framed === 'bad') return 'bad';
  const body = hasNoBody(status, headOnly) ? 0 : framed;
  const keepAlive = body !== 'close' && (minor === '1' ? !found.close : found.stays);
  return { status, message, rawHeaders, body, keepAlive, keepAliveMs: found.keepAliveMs, end };
}

/** Undefined when they contradict each other. */
function readFields(rawHeaders: readonly string[]): Found | undefined {
  const found = new Found();
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (!found.note(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '')) return undefined;
  return found;
}

/** RFC 9110 §6.4.1. */
function hasNoBody(status: number, headOnly: boolean): boolean {
  return headOnly || status < 200 || status === 204 || status === 304;
}

/** What the fields say about the reply's end and the connection's. */
class Found {
  length: string | undefined;
  encoding: string | undefined;
  close = false;
  stays = false;
  keepAliveMs = Infinity;

  /** False for what must not be there twice. */
  note(name: string, value: string): boolean {
    if (!isTelling(name)) return true;
    switch (name.toLowerCase()) {
      case 'content-length':
        if (this.length !== undefined) return false;
        this.length = value;
        return true;
      case 'transfer-encoding':
        if (this.encoding !== undefined) return false;
        this.encoding = value.toLowerCase();
        return true;
      case 'connection':
        this.close ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value);
        this.stays ||= /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i.test(value);
        return true;
      case 'keep-alive': {
        const seconds = /(?:^|[, ])timeout=(\d{1,6})/.exec(value)?.[1];
        if (seconds !== undefined) this.keepAliveMs = Number(seconds) * 1000;
        return true;
      }
      default:
        return true;
    }
  }
}

/** By their lengths: most other fields need no further look. */
const isTelling = lengthsOf(['content-length', 'transfer-encoding', 'connection', 'keep-alive']);

function bodyOf(
  length: string | undefined,
  encoding: string | undefined,
): CanonicalReply['body'] | 'bad' {
  // Framed in two ways is not framed.
  if (encoding !== undefined)
    return encoding === 'chunked' && length === undefined ? 'chunked' : 'bad';
  return length === undefined ? 'close' : (readLength(length) ?? 'bad');
}
