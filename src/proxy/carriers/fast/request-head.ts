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

/** With these methods servers expect a body, and some ask for its length when there is none (RFC 9110 §8.6). */
export const expectsBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

const scheme = 'http://';
const version = ' HTTP/1.1\r\n';

/** Values are added to these, or others are left out when they are there: not by whole lines. */
const edited = [
  ...(['via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'] as const),
  ...(['outrigger-service', 'dapr-app-id'] as const),
] as const;

/** They speak to this hop alone, and nothing must be done about them. */
const forThisHop = ['http2-settings', 'keep-alive', 'te'] as const;

/** They change how a message is framed, answered or passed on, beyond what the fast lane knows. */
const doubtful = ['expect', 'trailer', 'proxy-authenticate', 'proxy-authorization'] as const;

/** The fields that are looked at. What is not among them is passed on as it is. */
const tellingNames = [
  ...(['host', 'connection', 'content-length', 'transfer-encoding'] as const),
  ...(['traceparent', 'idempotency-key', 'proxy-connection', 'upgrade'] as const),
  ...forThisHop,
  ...edited,
  ...doubtful,
] as const;
type Telling = (typeof tellingNames)[number];
const telling = new TokenTable(tellingNames);

const isForThisHop: ReadonlySet<string> = new Set(forThisHop);
const isDoubtful: ReadonlySet<string> = new Set(doubtful);

/** The last one is what Java's HTTP client sends with every request that could become HTTP/2. */
const connectionOptions = new TokenTable([
  ...(['close', 'keep-alive', 'upgrade, http2-settings'] as const),
]);
/**
 * What is asked of this hop and may be ignored: an upgrade (RFC 9110 §7.8) to what the agent does not speak, and the old way of
 * asking a proxy to keep the connection, which llhttp reads like Connection.
 */
const harmlessWishes: ReadonlyMap<string, TokenTable<string>> = new Map([
  ['upgrade', new TokenTable(['h2c'])],
  ['proxy-connection', new TokenTable(['keep-alive'])],
]);
const codings = new TokenTable(['chunked'] as const);

/** What becomes of a field's line. */
type Verdict = 'kept' | 'cut' | 'doubtful';

/** A request of the canonical subset: HTTP/1.1, one Host, framed in one plain way. */
export class CanonicalRequest {
  readonly method: string;
  /** A path, or a URL with exactly the same host (RFC 9112 §3.2.2). */
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
  connection: 'close' | 'keep-alive' | 'upgrade, http2-settings' | undefined;
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
    const request = new CanonicalRequest(this, bytes.toString('latin1', 0, end));
    return isOfHost(request) ? request : 'doubtful';
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
    if (this.method === '') return false;
    if (!startsWith(bytes, at, ' /') && !startsWith(bytes, at, ` ${scheme}`)) return false;
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
    const verdict = this.#judge(name, bytes, valueFrom, valueTo);
    return verdict === 'cut' ? this.cuts.add(from, to + 2) : verdict === 'kept';
  }

  #judge(name: Telling, bytes: Buffer, from: number, to: number): Verdict {
    switch (name) {
      case 'host':
        if (this.hostTo !== 0) return 'doubtful';
        this.hostFrom = from;
        this.hostTo = to;
        return 'cut';
      case 'connection':
        if (this.connection !== undefined) return 'doubtful';
        this.connection = connectionOptions.find(bytes, from, to);
        return this.connection === undefined ? 'doubtful' : 'cut';
      case 'content-length':
        return this.#judgeLength(readNumber(bytes, from, to));
      case 'transfer-encoding':
        if (this.isChunked) return 'doubtful';
        this.isChunked = codings.find(bytes, from, to) !== undefined;
        return this.isChunked ? 'cut' : 'doubtful';
      case 'traceparent':
        // More than one is for those who look at fields one by one.
        this.isPassing &&= !this.isTraced;
        this.isTraced = true;
        return 'kept';
      case 'idempotency-key':
        this.isIdempotent = true;
        return 'kept';
      default:
        return this.#judgeRare(name, bytes, from, to);
    }
  }

  #judgeLength(length: number): Verdict {
    if (this.length !== -1 || length === -1) return 'doubtful';
    this.length = length;
    return length === 0 && !expectsBody.has(this.method) ? 'cut' : 'kept';
  }

  #judgeRare(name: Telling, bytes: Buffer, from: number, to: number): Verdict {
    if (isForThisHop.has(name)) return 'cut';
    const harmless = harmlessWishes.get(name);
    if (harmless !== undefined)
      return harmless.find(bytes, from, to) === undefined ? 'doubtful' : 'cut';
    this.isPassing = false;
    return isDoubtful.has(name) ? 'doubtful' : 'kept';
  }
}

function isOfHost({ target, host }: CanonicalRequest): boolean {
  if (target.startsWith('/')) return true;
  return target.startsWith(host, scheme.length) && target[scheme.length + host.length] === '/';
}
