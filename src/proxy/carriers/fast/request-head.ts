// Reads the heads of requests that leave no doubt; all others are the general carrier's, whose parser is llhttp.
import { parseAuthority } from '../../authority.ts';
import { lengthsOf } from '../../field-names.ts';
import { endOfHead, readLength, splitFields } from './head-text.ts';

/** A longer one is not for the fast lane. */
const headBytesMax = 16_384;

/** A request of the canonical subset: HTTP/1.1, a path as its target, one Host, framed in one plain way. */
export interface CanonicalRequest {
  readonly method: string;
  /** Begins with `/`. */
  readonly target: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly host: string;
  /** The body's length, or `chunked`; 0 for none. */
  readonly body: number | 'chunked';
  /** The client ends the connection after the reply. */
  readonly close: boolean;
  /** Where the head ends in the bytes. */
  readonly end: number;
}

/**
 * Methods that both parsers know and that neither frame nor answer differently. The target has visible ASCII without `#`; a
 * value has no control, no byte beyond ASCII and, like a name, no folding.
 */
const pattern =
  /^(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) (\/[\x21\x22\x24-\x7e]*) HTTP\/1\.1\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n)+)\r\n$/;

/** Fields that change how a message is framed, answered or passed on, beyond what the fast lane knows. */
const doubtful: ReadonlySet<string> = new Set([
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);

/** By their lengths: most other fields need no further look. */
const isTelling = lengthsOf([
  ...doubtful,
  ...['host', 'content-length', 'transfer-encoding', 'connection'],
]);

/** The request whose head begins at `from`; `doubtful` for everything that is not plainly canonical or not complete. */
export function readRequest(bytes: Buffer, from: number): CanonicalRequest | 'doubtful' {
  const end = endOfHead(bytes, from);
  if (end === -1 || end - from > headBytesMax) return 'doubtful';
  const match = pattern.exec(bytes.toString('latin1', from, end));
  if (match === null) return 'doubtful';
  const [, method = '', target = '', fields = ''] = match;
  const rawHeaders = splitFields(fields);
  const found = readFields(rawHeaders);
  const body = found === undefined ? 'doubtful' : bodyOf(found.length, found.encoding);
  if (found?.host === undefined || body === 'doubtful') return 'doubtful';
  const close = found.connection?.length === 'close'.length;
  return { method, target, rawHeaders, host: found.host, body, close, end };
}

/** Undefined when a field leaves a doubt. */
function readFields(rawHeaders: readonly string[]): Found | undefined {
  const found = new Found();
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (!found.note(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '')) return undefined;
  const { host, connection } = found;
  if (host === undefined || parseAuthority(host) === undefined) return undefined;
  const isPlain = connection === undefined || /^(?:keep-alive|close)$/i.test(connection);
  return isPlain ? found : undefined;
}

/** The fields that say who is called and where the message ends, each at most once. */
class Found {
  host: string | undefined;
  length: string | undefined;
  encoding: string | undefined;
  connection: string | undefined;

  /** False when the field leaves a doubt. */
  note(name: string, value: string): boolean {
    if (!isTelling(name)) return true;
    const lower = name.toLowerCase();
    switch (lower) {
      case 'host':
        if (this.host !== undefined) return false;
        this.host = value;
        return true;
      case 'content-length':
        if (this.length !== undefined) return false;
        this.length = value;
        return true;
      case 'transfer-encoding':
        if (this.encoding !== undefined) return false;
        this.encoding = value;
        return true;
      case 'connection':
        if (this.connection !== undefined) return false;
        this.connection = value;
        return true;
      default:
        return !doubtful.has(lower);
    }
  }
}

function bodyOf(
  length: string | undefined,
  encoding: string | undefined,
): CanonicalRequest['body'] | 'doubtful' {
  if (encoding !== undefined)
    return encoding === 'chunked' && length === undefined ? 'chunked' : 'doubtful';
  if (length === undefined) return 0;
  return readLength(length) ?? 'doubtful';
}
