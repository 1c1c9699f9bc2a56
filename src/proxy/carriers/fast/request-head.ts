// Reads the heads of requests that leave no doubt; all others are the general carrier's, whose parser is llhttp.
import {
  afterSpace,
  beforeSpace,
  endOfAscii,
  endOfHead,
  endOfTarget,
  type FieldReader,
  readNumber,
  startsWith,
  TokenTable,
} from './head-bytes.ts';
import { LineCuts, splitFields } from './head-text.ts';

/** A longer one is not for the fast lane. */
const headBytesMax = 16_384;

/** Methods that both parsers know and that neither frame nor answer differently. */
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const;

const version = ' HTTP/1.1\r\n';

/** Values are added to these, or others are left out when they are there: not by whole lines. */
const edited = [
  ...(['via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'] as const),
  ...(['outrigger-service', 'dapr-app-id'] as const),
] as const;

/** They change how a message is framed, answered or passed on, beyond what the fast lane knows. */
const doubtful = [
  ...(['expect', 'http2-settings', 'keep-alive', 'te', 'trailer', 'upgrade'] as const),
  ...(['proxy-authenticate', 'proxy-authorization', 'proxy-connection'] as const),
] as const;

/** The fields that are looked at. What is not among them is passed on as it is. */
const telling = new TokenTable([
  ...(['host', 'connection', 'content-length', 'transfer-encoding'] as const),
  ...(['traceparent', 'idempotency-key'] as const),
  ...edited,
  ...doubtful,
]);

const isDoubtful: ReadonlySet<string> = new Set(doubtful);

const connectionOptions = new TokenTable(['close', 'keep-alive'] as const);
const codings = new TokenTable(['chunked'] as const);

/** A request of the canonical subset: HTTP/1.1, a path as its target, one Host, framed in one plain way. */
export class CanonicalRequest {
  readonly method: string;
  /** Begins with `/`. */
  readonly target: string;
  readonly host: string;
  /** The body's length, or `chunked`; 0 for none. */
  readonly body: number | 'chunked';
  /** It says nothing of a body, and has none therefore. */
  readonly isUnframed: boolean;
  /** The client ends the connection after the reply. */
  readonly close: boolean;
  /** The client has sent `traceparent`. */
  readonly isTraced: boolean;
  readonly isIdempotent: boolean;
  /** Lines of fields that can be passed on as they are; undefined when fields must be looked at one by one. */
  readonly passing: string | undefined;
  /** Where the head ends in the bytes. */
  readonly end: number;
  readonly #fields: string;

  constructor(found: RequestReader, text: string) {
    const { fieldsFrom } = found;
    this.method = found.method;
    this.target = text.slice(found.method.length + 1, fieldsFrom - version.length);
    this.host = text.slice(found.hostFrom, found.hostTo);
    this.body = found.isChunked ? 'chunked' : Math.max(0, found.length);
    this.isUnframed = !found.isChunked && found.length === -1;
    this.close = found.connection === 'close';
    this.isTraced = found.isTraced;
    this.isIdempotent = found.isIdempotent;
    this.#fields = text.slice(fieldsFrom, -2);
    this.passing = found.isPassing ? found.cuts.apply(text, fieldsFrom, text.length) : undefined;
    this.end = text.length;
  }

  /** Names and values of all fields in turn. */
  get rawHeaders(): readonly string[] {
    return splitFields(this.#fields);
  }
}

/** Reads one head after another, and remembers of each what it has found until the next one. */
export class RequestReader implements FieldReader {
  method = '';
  fieldsFrom = 0;
  hostFrom = 0;
  hostTo = 0;
  /** -1: there is no Content-Length. */
  length = -1;
  isChunked = false;
  connection: 'close' | 'keep-alive' | undefined;
  isTraced = false;
  isIdempotent = false;
  isPassing = true;
  readonly cuts = new LineCuts();

  /** The request whose head begins the bytes; `doubtful` for all that is not plainly canonical or not complete. */
  read(bytes: Buffer): CanonicalRequest | 'doubtful' {
    this.#clear();
    const isLine = this.#readLine(bytes);
    const end = isLine ? endOfHead(bytes, this.fieldsFrom, endOfAscii, this) : -1;
    if (end < 0 || end > headBytesMax) return 'doubtful';
    if (this.hostTo === this.hostFrom || (this.isChunked && this.length !== -1)) return 'doubtful';
    return new CanonicalRequest(this, bytes.toString('latin1', 0, end));
  }

  #clear(): void {
    this.hostFrom = this.hostTo = 0;
    this.length = -1;
    this.isChunked = this.isTraced = this.isIdempotent = false;
    this.isPassing = true;
    this.connection = undefined;
    this.cuts.clear();
  }

  #readLine(bytes: Buffer): boolean {
    this.method = methods.find((method) => startsWith(bytes, 0, method)) ?? '';
    const at = this.method.length;
    if (this.method === '' || !startsWith(bytes, at, ' /')) return false;
    const end = endOfTarget(bytes, at + 1);
    this.fieldsFrom = end + version.length;
    return startsWith(bytes, end, version);
  }

  /** False when the field in the line from `from` to `to` leaves a doubt. */
  note(bytes: Buffer, from: number, nameEnd: number, to: number): boolean {
    const name = telling.find(bytes, from, nameEnd);
    if (name === undefined) return true;
    const valueFrom = afterSpace(bytes, nameEnd + 1, to);
    const valueTo = beforeSpace(bytes, valueFrom, to);
    switch (name) {
      case 'host':
        if (this.hostTo !== 0) return false;
        this.hostFrom = valueFrom;
        this.hostTo = valueTo;
        this.cuts.add(from, to + 2);
        return true;
      case 'connection':
        if (this.connection !== undefined) return false;
        this.connection = connectionOptions.find(bytes, valueFrom, valueTo);
        this.cuts.add(from, to + 2);
        return this.connection !== undefined;
      case 'content-length':
        if (this.length !== -1) return false;
        this.length = readNumber(bytes, valueFrom, valueTo);
        return this.length !== -1;
      case 'transfer-encoding':
        if (this.isChunked) return false;
        this.isChunked = codings.find(bytes, valueFrom, valueTo) !== undefined;
        this.cuts.add(from, to + 2);
        return this.isChunked;
      case 'traceparent':
        // More than one is for those who look at fields one by one.
        this.isPassing &&= !this.isTraced;
        this.isTraced = true;
        return true;
      case 'idempotency-key':
        this.isIdempotent = true;
        return true;
      default:
        this.isPassing = false;
        return !isDoubtful.has(name);
    }
  }
}
