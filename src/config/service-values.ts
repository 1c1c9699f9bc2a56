// The kinds of values that describe a local service: its address, its metadata and its health checks.
import * as v from 'valibot';
import { parseAddress } from '../core/address.ts';
import { recordLimits } from '../core/instance.ts';
import { splitCommandLine } from './command-line.ts';
import type { ProbeConfig, ServiceConfig } from './config.ts';
import { record, strict } from './strict.ts';
import { list, portOf, scalarText, shown, switchOf, text, value, type Schema } from './values.ts';

type ProbeOf<T extends ProbeConfig['type']> = Extract<ProbeConfig, { readonly type: T }>;

const hostPattern = /^[A-Za-z0-9._:%-]{1,253}$/;

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT` or an IPv6 address alone. */
export const advertised: Schema<NonNullable<ServiceConfig['advertise']>> = value((given) => {
  const written = scalarText(given);
  const address = /^\d*$/.test(written) ? undefined : parseAddress(written, '');
  if (address !== undefined && address.host !== '' && address.port > 0) return { value: address };
  const bare = /^\[([0-9A-Fa-f:.%]+)\]$/.exec(written)?.[1] ?? written;
  const isName = hostPattern.test(bare) && !/^\d*$/.test(bare);
  const isAlone =
    !bare.includes(':') || /^[0-9A-Fa-f.]*:[0-9A-Fa-f:.%]*:[0-9A-Fa-f:.%]*$/.test(bare);
  return isName && isAlone
    ? { value: { host: bare } }
    : { refusal: 'is no address; write HOST or HOST:PORT' };
});

export const instanceId: Schema<string> = text(
  'instance id',
  `letters, digits and any of ._:%@+~- after the first, at most ${recordLimits.idLength}`,
  /^[A-Za-z0-9][A-Za-z0-9._:%@+~-]{0,254}$/,
);

export const tags: Schema<readonly string[]> = list(
  text('tag', 'any text without blanks and commas, at most 255', /^[^\s,]{1,255}$/),
  recordLimits.tags,
);

/** From `KEY=VALUE` texts, or a mapping in a file. */
export const meta: Schema<Readonly<Record<string, string>>> = value((given) => {
  const pairs = metaPairs(given);
  if (typeof pairs === 'string') return { refusal: pairs };
  return pairs.length > recordLimits.metaPairs
    ? { refusal: `has more than ${recordLimits.metaPairs} pairs` }
    : { value: Object.fromEntries(pairs) };
});

function metaPairs(given: unknown): readonly (readonly [string, string])[] | string {
  if (typeof given !== 'object' || given === null) return 'is no mapping of keys to values';
  const pairs: (readonly [string, string])[] = [];
  const written: readonly unknown[] = Array.isArray(given) ? given : Object.entries(given);
  for (const one of written) {
    const [key, content] = Array.isArray(one) ? (one as unknown[]) : splitPair(one);
    if (typeof key !== 'string' || !/^[^\s=]{1,255}$/.test(key)) {
      return `has ${shown(one)}, which is not KEY=VALUE`;
    }
    if (typeof content !== 'string') {
      return `has the key ${shown(key)} with a value that is no text; put it in quotes`;
    }
    pairs.push([key, content]);
  }
  return pairs;
}

function splitPair(given: unknown): readonly [key?: string, content?: string] {
  if (typeof given !== 'string') return [];
  const at = given.indexOf('=');
  return at < 1 ? [] : [given.slice(0, at).trim(), given.slice(at + 1)];
}

const httpTarget: Schema<string> = value((given) =>
  typeof given === 'string' && isHttpTarget(given)
    ? { value: given }
    : { refusal: 'is neither a path such as /health nor an http URL' },
);

function isHttpTarget(target: string): boolean {
  if (/^\/(?!\/)[^\s#]*$/.test(target)) return true;
  return /^https?:\/\/[^\s/]/.test(target) && URL.canParse(target);
}

const fieldName = text('header name', 'a token of RFC 9110', /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/);
const fieldValue = text('header value', 'any text on one line', /^[^\r\n\0]*$/);
const fields = v.optional(record(fieldName, fieldValue));

const detailedHttpProbe = strict({
  target: httpTarget,
  headers: fields,
  expectBody: v.optional(text('text', 'any text that is not empty', /^[^]+$/)),
  expectHeaders: fields,
});

/** A path or URL alone, or a mapping with what is sent and what is expected. */
const httpProbe: Schema<ProbeOf<'http'>> = v.lazy((given): Schema<ProbeOf<'http'>> => {
  if (typeof given !== 'object' || given === null) {
    return v.pipe(
      httpTarget,
      v.transform((target) => ({ type: 'http', target, headers: {}, expectHeaders: {} }) as const),
    );
  }
  return v.pipe(
    detailedHttpProbe,
    v.transform(({ target, headers, expectBody, expectHeaders }) => ({
      type: 'http' as const,
      target,
      headers: headers ?? {},
      ...(expectBody !== undefined && { expectBody }),
      expectHeaders: expectHeaders ?? {},
    })),
  );
});

const tcpProbe = value<ProbeOf<'tcp'>>((given) => {
  if (switchOf(given) === true) return { value: { type: 'tcp' } };
  const target = parseAddress(scalarText(given), '127.0.0.1');
  return target === undefined || portOf(target.port) === undefined
    ? { refusal: 'is no address; write HOST:PORT, or true for the port of the app' }
    : { value: { type: 'tcp', target } };
});

const commandProbe: Schema<ProbeOf<'command'>> = value((given) => {
  const argv = typeof given === 'string' ? splitCommandLine(given) : undefined;
  return argv === undefined
    ? { refusal: 'is no command line (is a quote not closed?)' }
    : { value: { type: 'command', argv } };
});

const grpcProbe: Schema<ProbeOf<'grpc'>> = value((given) => {
  if (switchOf(given) === true) return { value: { type: 'grpc', service: '' } };
  return typeof given === 'string' && /^[\w.-]{1,255}$/.test(given)
    ? { value: { type: 'grpc', service: given } }
    : { refusal: 'is no gRPC service name; write one, or true for the server as a whole' };
});

const probesMax = 16;
export const httpProbes = list(httpProbe, probesMax);
export const tcpProbes = list(tcpProbe, probesMax);
export const commandProbes = list(commandProbe, probesMax);
export const grpcProbes = list(grpcProbe, probesMax);
