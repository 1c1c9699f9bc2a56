// Where a Redis registry is and how it is reached: the meaning of its URL.
import { readFileSync } from 'node:fs';
import { ConfigError, messageOf } from '../../../core/errors.ts';
import { parseParameters, parseUrl, redactUrl, type Parameters } from '../../url.ts';

export interface RedisLocation {
  /** The URL for people: without its password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly user?: string;
  readonly password: PasswordSource;
  readonly tls?: TlsFiles;
  /** What every key begins with. */
  readonly prefix: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** A password file is read again for each connection, so that a new password needs no restart. */
export type PasswordSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };

/** PEM texts. The server's certificate is always verified. */
interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const commonParameters = {
  prefix: 'text',
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const tlsParameters = {
  ...commonParameters,
  ca: 'text',
  cert: 'text',
  key: 'text',
  servername: 'text',
} as const;

const defaultTtlMs = 10_000;
const defaultHeartbeatMs = 3000;
/** Renewals that may fail in a row without losing the lease need at least this ratio. */
const heartbeatsPerTtlMin = 2;

/**
 * Reads `redis://[user:password@]host[:6379][/database]`, or `rediss://` for TLS. Throws a ConfigError for anything that
 * cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): RedisLocation {
  const url = parseUrl(text);
  const where = `registry ${redactUrl(text)}`;
  const secure = url.protocol === 'rediss:';
  if (!secure && url.protocol !== 'redis:') {
    throw new ConfigError(`${where}: the scheme must be redis or rediss`);
  }
  if (url.hostname === '') throw new ConfigError(`${where}: the host is missing`);
  if (url.hash !== '') throw new ConfigError(`${where}: "#" must be written as %23`);
  const parameters: Parameters<typeof tlsParameters> = secure
    ? parseParameters(url, tlsParameters)
    : parseParameters(url, commonParameters);
  const user = decode(url.username, where);
  return {
    url: redactUrl(text),
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    database: readDatabase(url.pathname, where),
    ...(user !== '' && { user }),
    password: readPassword(url, parameters['password-file'], where),
    ...(secure && { tls: readTls(parameters, where) }),
    prefix: readPrefix(parameters.prefix, where),
    ...readTimes(parameters, where),
  };
}

/** The password as it is now. Throws what reading its file throws. */
export function passwordOf(source: PasswordSource): string | undefined {
  if (source.kind === 'none') return undefined;
  return source.kind === 'text' ? source.text : readFileSync(source.path, 'utf8').trim();
}

function readDatabase(path: string, where: string): number {
  const match = /^\/?(\d{0,5})$/.exec(path);
  if (match === null) {
    throw new ConfigError(`${where}: the path must be a database number such as /0`);
  }
  return Number(match[1]);
}

function readPassword(url: URL, file: string | undefined, where: string): PasswordSource {
  if (url.password !== '' && file !== undefined) {
    throw new ConfigError(`${where}: give a password or password-file, not both`);
  }
  if (file !== undefined) {
    readText(file, 'password-file', where);
    return { kind: 'file', path: file };
  }
  if (url.password !== '') return { kind: 'text', text: decode(url.password, where) };
  if (url.username !== '') throw new ConfigError(`${where}: the user has no password`);
  return { kind: 'none' };
}

function readTls(parameters: Parameters<typeof tlsParameters>, where: string): TlsFiles {
  const { ca, cert, key, servername } = parameters;
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError(`${where}: cert and key need each other`);
  }
  return {
    ...(ca !== undefined && { ca: readText(ca, 'ca', where) }),
    ...(cert !== undefined && { cert: readText(cert, 'cert', where) }),
    ...(key !== undefined && { key: readText(key, 'key', where) }),
    ...(servername !== undefined && { servername }),
  };
}

function readPrefix(prefix: string | undefined, where: string): string {
  if (prefix === undefined) return 'sd';
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) {
    throw new ConfigError(`${where}: prefix may have letters, digits and . _ : - only`);
  }
  return prefix;
}

function readTimes(
  { ttl, heartbeat }: Parameters<typeof commonParameters>,
  where: string,
): { readonly ttlMs: number; readonly heartbeatMs: number } {
  const ttlMs = ttl ?? defaultTtlMs;
  const heartbeatMs = heartbeat ?? (ttl === undefined ? defaultHeartbeatMs : ttl / 3);
  if (heartbeatMs <= 0 || heartbeatMs * heartbeatsPerTtlMin > ttlMs) {
    throw new ConfigError(`${where}: heartbeat must be at most half of ttl`);
  }
  return { ttlMs, heartbeatMs };
}

function readText(path: string, name: string, where: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${where}: ${name}: ${messageOf(error)}`, { cause: error });
  }
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`${where}: user and password must be percent-encoded`);
  }
}
