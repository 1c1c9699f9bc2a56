// The header rules of a proxy, on raw header lists: names and values in turn, with their case, order and duplicates.
import type { IncomingMessage } from 'node:http';
import type { Random } from '../core/random.ts';
import { lengthsOf } from './field-names.ts';
import { serviceHeaders } from './routing/header.ts';
import { newTraceparent } from './traceparent.ts';

/** How the agent signs messages in Via (RFC 9110 §7.6.3). */
const pseudonym = 'outrigger';

/** More agents than this in one request's way are a loop. */
const viaMax = 8;

/** RFC 9110 §7.6.1, and those that speak to the next hop only. A new hop frames its messages itself. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Naming one of these in Connection would let a client take away what others rely on. */
const neverNamed =
  /^(?:authorization|content-.*|cookie|date|forwarded|host|set-cookie|trace(?:parent|state)|via|x-forwarded-.*)$/;

/** Set or answered by the agent itself on the way to the instance. */
const replacedInRequests: ReadonlySet<string> = new Set([...serviceHeaders, 'expect', 'host']);

/** Written by the agent that answers, and by nobody else. */
const ownInReplies: ReadonlySet<string> = new Set(['outrigger-error', 'outrigger-retryable']);

/** By their lengths: most other fields need no further look. */
const isTellingInRequests = lengthsOf([
  ...hopByHop,
  ...replacedInRequests,
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'traceparent'],
]);
const isTellingInReplies = lengthsOf([...hopByHop, ...ownInReplies, 'content-length']);

export interface RequestHop {
  /** Host that the instance sees. */
  readonly host: string;
  /** Host that the client sent. */
  readonly originalHost: string | undefined;
  /** Undefined on a unix socket. */
  readonly clientAddress: string | undefined;
  readonly random: Random;
}

/** The headers that go to the instance: without hop-by-hop ones, with those that a proxy adds. */
export function requestHeaders(raw: readonly string[], hop: RequestHop): string[] {
  const named = namedInConnection(raw);
  const headers = ['Host', hop.host];
  const seen = new Map<string, number>();
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (named !== undefined || isTellingInRequests(name)) {
      const lower = name.toLowerCase();
      if (staysHere(lower, named)) continue;
      if (lower.startsWith('x-forwarded-') || lower === 'traceparent')
        seen.set(lower, headers.length + 1);
    }
    headers.push(name, raw[index + 1] ?? '');
  }
  addOwn(headers, seen, hop);
  return headers;
}

/** It speaks to this hop alone, or the agent writes its own. */
function staysHere(lower: string, named: ReadonlySet<string> | undefined): boolean {
  return hopByHop.has(lower) || replacedInRequests.has(lower) || named?.has(lower) === true;
}

/** What a proxy adds; `seen` has the places of the values that the request brought itself. */
function addOwn(headers: string[], seen: ReadonlyMap<string, number>, hop: RequestHop): void {
  const append = (name: string, value: string): void => {
    const at = seen.size === 0 ? undefined : seen.get(name.toLowerCase());
    if (at === undefined) headers.push(name, value);
    else headers[at] = `${headers[at] ?? ''}, ${value}`;
  };
  if (hop.clientAddress !== undefined) append('X-Forwarded-For', withoutMapping(hop.clientAddress));
  append('X-Forwarded-Proto', 'http');
  if (hop.originalHost !== undefined) append('X-Forwarded-Host', hop.originalHost);
  headers.push('Via', `1.1 ${pseudonym}`);
  if (!seen.has('traceparent')) headers.push('traceparent', newTraceparent(hop.random));
}

/** What `requestHeaders` adds to a request that has none of it, as lines of a head; without `traceparent`. */
export function forwardingLines({
  clientAddress,
  originalHost,
}: Pick<RequestHop, 'clientAddress' | 'originalHost'>): string {
  const forwardedFor =
    clientAddress === undefined ? '' : `X-Forwarded-For: ${withoutMapping(clientAddress)}\r\n`;
  const forwardedHost = originalHost === undefined ? '' : `X-Forwarded-Host: ${originalHost}\r\n`;
  return `${forwardedFor}X-Forwarded-Proto: http\r\n${forwardedHost}Via: 1.1 ${pseudonym}\r\n`;
}

/** What `replyHeaders` adds. */
export const viaLine = `Via: 1.1 ${pseudonym}\r\n`;

/** An IPv4 address as it is, also on a socket for both families. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** RFC 9110 §8.6, RFC 9112 §6.1: replies that must not even say how long their content is, for they have none. */
export function hasNoContent(status: number): boolean {
  return status < 200 || status === 204;
}

/** Whether a reply without content says that it has some. If the instance sends that, it must not be taken for a next reply. */
export function announcesInVain(status: number, raw: readonly string[]): boolean {
  if (!hasNoContent(status)) return false;
  return (
    valueOf(raw, 'transfer-encoding') !== undefined || Number(valueOf(raw, 'content-length')) > 0
  );
}

/** The headers that go to the client. `trailers`: trailer fields can follow, so they may be announced. */
export function replyHeaders(raw: readonly string[], status: number, trailers: boolean): string[] {
  const named = namedInConnection(raw);
  const unframed = hasNoContent(status) || valueOf(raw, 'transfer-encoding') !== undefined;
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (named !== undefined || isTellingInReplies(name)) {
      const lower = name.toLowerCase();
      if (lower === 'trailer' ? !trailers : hopByHop.has(lower) || named?.has(lower) === true)
        continue;
      // RFC 9112 §6.3: beside Transfer-Encoding, a Content-Length says nothing.
      if (ownInReplies.has(lower) || (unframed && lower === 'content-length')) continue;
    }
    headers.push(name, raw[index + 1] ?? '');
  }
  headers.push('Via', `1.1 ${pseudonym}`);
  return headers;
}

/** Trailer fields must not frame, route or authenticate (RFC 9110 §6.5.1). */
export function trailerFields(raw: readonly string[]): [string, string][] {
  const fields: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !neverNamed.test(lower)) fields.push([name, raw[index + 1] ?? '']);
  }
  return fields;
}

/** Whether the request went through so many agents that it must be running in a circle. */
export function isLoop(raw: readonly string[]): boolean {
  let count = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (name.length !== 3 || name.toLowerCase() !== 'via') continue;
    count += (raw[index + 1] ?? '').split(',').filter((hop) => hop.includes(pseudonym)).length;
  }
  return count >= viaMax;
}

/** Whether the reply is another agent's, which says that no instance has seen the request. */
export function isNeverSent(raw: readonly string[]): boolean {
  return valueOf(raw, 'outrigger-retryable') === 'never-sent';
}

/** RFC 9112 §6.3: a request has a body when its headers frame one. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/** The value of the first header of that name, which is given in lower case. */
export function valueOf(raw: readonly string[], name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) {
    const candidate = raw[index] ?? '';
    if (candidate.length === name.length && candidate.toLowerCase() === name) return raw[index + 1];
  }
  return undefined;
}

/** The same headers as an object, for those who take nothing else; a name's first spelling is kept. */
export function headersByName(raw: readonly string[]): Record<string, string | string[]> {
  const spelling = new Map<string, string>();
  const byName: Record<string, string | string[]> = Object.create(null) as Record<string, string>;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    const key = spelling.get(name.toLowerCase()) ?? name;
    spelling.set(name.toLowerCase(), key);
    const former = byName[key];
    byName[key] = former === undefined ? value : [former, value].flat();
  }
  return byName;
}

/** undici gives names and values as bytes; latin1 keeps each of them. */
export function decodeHeaders(raw: unknown): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((item) => (Buffer.isBuffer(item) ? item.toString('latin1') : String(item)));
}

/** The headers named in Connection, as far as they may be; undefined when there are none. */
function namedInConnection(raw: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const token of (raw[index + 1] ?? '').toLowerCase().split(',')) {
      const option = token.trim();
      if (option === '' || option === 'close' || option === 'keep-alive') continue;
      if (!neverNamed.test(option)) (named ??= new Set()).add(option);
    }
  }
  return named;
}
