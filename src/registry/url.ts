// Registry URLs: their parameters, checked and typed, and their text without secrets.
import { formatAddress, type Address } from '../core/address.ts';
import { durationMsMax, parseDurationMs } from '../core/durations.ts';
import { ConfigError } from '../core/errors.ts';
import { nearest } from '../core/service-name.ts';

/** `duration` reads `2s` as milliseconds, at most 24 h; `flag` is true for `?x`, `x=1`, `x=true`; `number` is not negative. */
export type ParameterKind = 'duration' | 'text' | 'flag' | 'number';

interface ValueOf {
  readonly duration: number;
  readonly text: string;
  readonly flag: boolean;
  readonly number: number;
}

/** The parameters that a URL gives, by name; durations in milliseconds. */
export type Parameters<K extends Readonly<Record<string, ParameterKind>>> = {
  readonly [N in keyof K]?: ValueOf[K[N]];
};

/** Reads the URL of a registry; throws a ConfigError when the text is none. */
export function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ConfigError(`registry ${redactUrl(text)}: not a valid URL`);
  }
}

/** A URL whose authority names several servers. */
export interface HostsUrl {
  /** The same URL with its first host only; for its path, user information and parameters. */
  readonly url: URL;
  /** At least one, in the order given, each once. */
  readonly hosts: readonly Address[];
}

/**
 * Reads `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?query]`. Throws a ConfigError when the text is no URL or
 * a host is missing, and for a fragment: a `#` in a password must be written as %23.
 */
export function parseHostsUrl(text: string, defaultPort: number): HostsUrl {
  const where = `registry ${redactUrl(text)}`;
  const match = /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/is.exec(text);
  if (match === null) throw new ConfigError(`${where}: not a valid URL`);
  const [, before = '', list = '', rest = ''] = match;
  const hosts = list.split(',').map((host) => readHost(host, defaultPort, where));
  const url = parseUrl(`${before}${list.split(',')[0] ?? ''}${rest}`);
  if (url.hash !== '') throw new ConfigError(`${where}: "#" must be written as %23`);
  const once = new Map(hosts.map((host) => [formatAddress(host), host]));
  return { url, hosts: [...once.values()] };
}

function readHost(text: string, defaultPort: number, where: string): Address {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port === 0 || port > 65_535) {
    throw new ConfigError(
      text === '' ? `${where}: the host is missing` : `${where}: "${text}" is not HOST[:PORT]`,
    );
  }
  return { host, port };
}

/**
 * Reads the URL's query. Throws a ConfigError for an unknown parameter (naming the nearest known one), for one that is
 * given twice and for a value that is not of its kind.
 */
export function parseParameters<const K extends Readonly<Record<string, ParameterKind>>>(
  url: URL,
  known: K,
): Parameters<K> {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, text] of url.searchParams) {
    const where = `registry ${redactUrl(url.href)}: parameter "${name}"`;
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw new ConfigError(`${where} is unknown${hint(name, known)}`);
    if (Object.hasOwn(values, name)) throw new ConfigError(`${where} is given twice`);
    const value = readers[kind](text);
    if (value === undefined) throw new ConfigError(`${where} must be ${expected[kind]}`);
    values[name] = value;
  }
  return values as Parameters<K>;
}

/**
 * The URL for people and logs. A password becomes `***`, and so does user information without a password, which may be a
 * token. Works on texts that are no valid URL too, where it rather hides too much: all between `//` and the last `@`.
 */
export function redactUrl(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)(?!\/)(.*)@/is, (_all, scheme: string, userInfo: string) => {
      const colon = userInfo.indexOf(':');
      return `${scheme}${colon < 0 ? '' : userInfo.slice(0, colon + 1)}***@`;
    })
    .replace(/([?&][^=&#]*(?:password|secret|token)=)[^&#]*/gi, '$1***');
}

const readers: {
  readonly [K in ParameterKind]: (text: string) => ValueOf[K] | undefined;
} = {
  duration: (text) => {
    const durationMs = parseDurationMs(text);
    return durationMs !== undefined && durationMs <= durationMsMax ? durationMs : undefined;
  },
  text: (text) => (text === '' ? undefined : text),
  flag: (text) => flags.get(text),
  number: (text) => (/^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined),
};

const flags: ReadonlyMap<string, boolean> = new Map([
  ['', true],
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
]);

const expected: Readonly<Record<ParameterKind, string>> = {
  duration: 'a duration such as 500ms or 2s, at most 24h',
  text: 'a text that is not empty',
  flag: '1 or 0',
  number: 'a number that is not negative',
};

function hint(name: string, known: Readonly<Record<string, ParameterKind>>): string {
  const names = Object.keys(known);
  const near = nearest(name, names);
  if (near !== undefined) return `; did you mean "${near}"?`;
  return names.length === 0 ? '; there are none' : `; there are ${names.join(', ')}`;
}
