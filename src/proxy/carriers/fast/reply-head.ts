// Reads the heads of replies strictly: what is not plain HTTP/1.x is a bad response.
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
  if (found === 'bad') return 'bad';
  const body = hasNoBody(status, headOnly) ? 0 : found.body;
  const keepAlive = body !== 'close' && (minor === '1' ? !found.close : found.stays);
  return { status, message, rawHeaders, body, keepAlive, keepAliveMs: found.keepAliveMs, end };
}

/** RFC 9110 §6.4.1. */
function hasNoBody(status: number, headOnly: boolean): boolean {
  return headOnly || status < 200 || status === 204 || status === 304;
}

/** What the fields say about the reply's end and the connection's. */
interface ReplyFields {
  length: string | undefined;
  encoding: string | undefined;
  close: boolean;
  stays: boolean;
  keepAliveMs: number;
}

function readFields(
  rawHeaders: readonly string[],
): (Omit<ReplyFields, 'length' | 'encoding'> & Pick<CanonicalReply, 'body'>) | 'bad' {
  const found: ReplyFields = {
    length: undefined,
    encoding: undefined,
    close: false,
    stays: false,
    keepAliveMs: Infinity,
  };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    // The lengths of the four names, so that most fields cost one comparison.
    if (name.length !== 10 && name.length !== 14 && name.length !== 17) continue;
    if (!note(found, name.toLowerCase(), rawHeaders[index + 1] ?? '')) return 'bad';
  }
  const { close, stays, keepAliveMs } = found;
  const body = bodyOf(found.length, found.encoding);
  return body === 'bad' ? 'bad' : { body, close, stays, keepAliveMs };
}

/** False for what must not be there twice. */
function note(found: ReplyFields, name: string, value: string): boolean {
  switch (name) {
    case 'content-length':
      if (found.length !== undefined) return false;
      found.length = value;
      return true;
    case 'transfer-encoding':
      if (found.encoding !== undefined) return false;
      found.encoding = value.toLowerCase();
      return true;
    case 'connection':
      found.close ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value);
      found.stays ||= /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i.test(value);
      return true;
    case 'keep-alive': {
      const seconds = /(?:^|[, ])timeout=(\d{1,6})/.exec(value)?.[1];
      if (seconds !== undefined) found.keepAliveMs = Number(seconds) * 1000;
      return true;
    }
    default:
      return true;
  }
}

function bodyOf(
  length: string | undefined,
  encoding: string | undefined,
): CanonicalReply['body'] | 'bad' {
  // Framed in two ways is not framed.
  if (encoding !== undefined)
    return encoding === 'chunked' && length === undefined ? 'chunked' : 'bad';
  return length === undefined ? 'close' : (readLength(length) ?? 'bad');
}
