// Where a Redis registry is and how it is reached: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readConfigFile, readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, parseUrl, redactUrl, type Parameters } from '../../url.ts';

/** How a server is logged in to. */
export interface RedisAccess {
  readonly database: number;
  readonly user?: string;
  readonly password: PasswordSource;
  readonly tls?: TlsFiles;
}

/** What the URLs of all topologies tell. */
export interface RedisSettings extends RedisAccess {
  /** The URL for people: without its password. */
  readonly url: string;
  /** What every key begins with. */
  readonly prefix: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** One server. */
export interface RedisLocation extends RedisSettings, Address {}

/** A primary with replicas, which Sentinel servers watch under a name. */
export interface SentinelLocation extends RedisSettings {
  readonly sentinels: readonly Address[];
  readonly sentinelAccess: RedisAccess;
  readonly primaryName: string;
}

/** A cluster, and some of its servers. */
export interface ClusterLocation extends RedisSettings {
  readonly seeds: readonly Address[];
}

const commonParameters = {
  prefix: 'text',
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const sentinelParameters = {
  ...commonParameters,
  'sentinel-user': 'text',
  'sentinel-password-file': 'text',
} as const;

const defaultTimes = { ttlMs: 10_000, heartbeatMs: 3000 };

/**
 * Reads `redis://[user:password@]host[:6379][/database]`, or `rediss://` for TLS. Throws a ConfigError for anything that
 * cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): RedisLocation {
  const url = parseUrl(text);
  const where = `registry ${redactUrl(text)}`;
  if (url.protocol !== 'rediss:' && url.protocol !== 'redis:') {
    throw new ConfigError(`${where}: the scheme must be redis or rediss`);
  }
  if (url.hostname === '') throw new ConfigError(`${where}: the host is missing`);
  if (url.hash !== '') throw new ConfigError(`${where}: "#" must be written as %23`);
  const parameters = readParameters(url);
  return {
    ...readSettings(text, url, parameters),
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    database: readDatabase(url.pathname, where),
  };
}

/**
 * Reads `redis+sentinel://[user:password@]sentinel[:26379][,sentinel…]/name[/database]`, or `rediss+sentinel://` for TLS to all
 * servers. User and password are for the primary. Throws as `parseLocation`.
 */
export function parseSentinelLocation(text: string): SentinelLocation {
  const { url, hosts } = parseHostsUrl(text, 26_379);
  const where = `registry ${redactUrl(text)}`;
  const [, name, database] = /^\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
  if (name === undefined) {
    throw new ConfigError(`${where}: the path must be the primary's name in Sentinel`);
  }
  const parameters = readSentinelParameters(url);
  const settings = readSettings(text, url, parameters);
  const { 'sentinel-user': user, 'sentinel-password-file': path } = parameters;
  if (user !== undefined && path === undefined) {
    throw new ConfigError(`${where}: sentinel-user needs sentinel-password-file`);
  }
  if (path !== undefined) readConfigFile(path, 'sentinel-password-file', where);
  return {
    ...settings,
    sentinels: hosts,
    sentinelAccess: {
      database: 0,
      ...(user !== undefined && { user }),
      password: path === undefined ? { kind: 'none' } : { kind: 'file', path },
      ...(settings.tls !== undefined && { tls: settings.tls }),
    },
    primaryName: decodePath(name, where),
    database: readDatabase(database ?? '', where),
  };
}

/**
 * Reads `redis+cluster://[user:password@]server[:6379][,server…]`, or `rediss+cluster://` for TLS. A few of the servers suffice.
 * Throws as `parseLocation`.
 */
export function parseClusterLocation(text: string): ClusterLocation {
  const { url, hosts } = parseHostsUrl(text, 6379);
  if (!/^\/?0?$/.test(url.pathname)) {
    const where = `registry ${redactUrl(text)}`;
    throw new ConfigError(`${where}: a cluster has no databases but 0, so there is no path`);
  }
  const parameters = readParameters(url);
  return { ...readSettings(text, url, parameters), seeds: hosts };
}

/** The files for TLS are parameters only where the scheme is one with TLS. */
function readParameters(url: URL): Parameters<typeof commonParameters & typeof tlsFileParameters> {
  return isSecure(url)
    ? parseParameters(url, { ...commonParameters, ...tlsFileParameters })
    : parseParameters(url, commonParameters);
}

function readSentinelParameters(
  url: URL,
): Parameters<typeof sentinelParameters & typeof tlsFileParameters> {
  return isSecure(url)
    ? parseParameters(url, { ...sentinelParameters, ...tlsFileParameters })
    : parseParameters(url, sentinelParameters);
}

function readSettings(
  text: string,
  url: URL,
  parameters: Parameters<typeof commonParameters & typeof tlsFileParameters>,
): RedisSettings {
  const where = `registry ${redactUrl(text)}`;
  const user = decodeUserInfo(url.username, where);
  return {
    url: redactUrl(text),
    database: 0,
    ...(user !== '' && { user }),
    password: readPassword(url, parameters['password-file'], where),
    ...(isSecure(url) && { tls: readTlsFiles(parameters, where) }),
    prefix: readPrefix(parameters.prefix, where),
    ...readLeaseTimes(parameters, defaultTimes, where),
  };
}

function isSecure(url: URL): boolean {
  return url.protocol.startsWith('rediss');
}

function readDatabase(path: string, where: string): number {
  const match = /^\/?(\d{0,5})$/.exec(path);
  if (match === null) {
    throw new ConfigError(`${where}: the path must be a database number such as /0`);
  }
  return Number(match[1]);
}

function readPrefix(prefix: string | undefined, where: string): string {
  if (prefix === undefined) return 'sd';
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) {
    throw new ConfigError(`${where}: prefix may have letters, digits and . _ : - only`);
  }
  return prefix;
}

function decodePath(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`${where}: the path must be percent-encoded`);
  }
}
