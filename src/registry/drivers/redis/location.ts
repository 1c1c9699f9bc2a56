// Where a Redis registry is and how it is reached: the meaning of its URL.
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
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

const commonParameters = {
  prefix: 'text',
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const secureParameters = {
  ...commonParameters,
  ...tlsFileParameters,
} as const;

const defaultTimes = { ttlMs: 10_000, heartbeatMs: 3000 };

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
  const parameters: Parameters<typeof secureParameters> = secure
    ? parseParameters(url, secureParameters)
    : parseParameters(url, commonParameters);
  const user = decodeUserInfo(url.username, where);
  return {
    url: redactUrl(text),
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    database: readDatabase(url.pathname, where),
    ...(user !== '' && { user }),
    password: readPassword(url, parameters['password-file'], where),
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    prefix: readPrefix(parameters.prefix, where),
    ...readLeaseTimes(parameters, defaultTimes, where),
  };
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
