// Where a Hydra fleet's Redis is and how it is reached: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes, type LeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, redactUrl, type Parameters } from '../../url.ts';

export interface HydraLocation extends Address, LeaseTimes {
  /** The URL for people: without its password. */
  readonly url: string;
  readonly database: number;
  readonly user?: string;
  readonly password: PasswordSource;
  readonly tls?: TlsFiles;
}

const commonParameters = {
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const secureParameters = { ...commonParameters, ...tlsFileParameters } as const;

/** Those of Hydra itself, which cannot be configured there. */
const defaultTimes = { ttlMs: 3000, heartbeatMs: 1000 };

/** Schemes that one could expect, and why there is no such registry. */
const refused: ReadonlyMap<string, string> = new Map([
  [
    'hydra+redis+cluster:',
    'Hydra cannot use a Redis Cluster (its keys have no hash tags); give a single server as hydra+redis://',
  ],
  [
    'hydra+redis+sentinel:',
    'Hydra knows no Sentinels; give the address of the master as hydra+redis://',
  ],
]);

/**
 * Reads `hydra+redis://[user:password@]host[:6379][/database]`, or `hydra+rediss://` for TLS. Database 0 when none is given,
 * as Hydra reads such a URL. Throws a ConfigError for anything that cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): HydraLocation {
  const where = `registry ${redactUrl(text)}`;
  const reason = refused.get(/^[^/]*/.exec(text)?.[0].toLowerCase() ?? '');
  if (reason !== undefined) throw new ConfigError(`${where}: ${reason}`);
  const { url, hosts } = parseHostsUrl(text, 6379);
  const [address, another] = hosts;
  if (address === undefined || another !== undefined) {
    throw new ConfigError(`${where}: exactly one host is needed`);
  }
  const secure = url.protocol === 'hydra+rediss:';
  if (!secure && url.protocol !== 'hydra+redis:') {
    throw new ConfigError(`${where}: the scheme must be hydra+redis or hydra+rediss`);
  }
  const parameters: Parameters<typeof secureParameters> = secure
    ? parseParameters(url, secureParameters)
    : parseParameters(url, commonParameters);
  const user = decodeUserInfo(url.username, where);
  return {
    url: redactUrl(text),
    ...address,
    database: readDatabase(url.pathname, where),
    ...(user !== '' && { user }),
    password: readPassword(url, parameters['password-file'], where),
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    ...readLeaseTimes(parameters, defaultTimes, where),
  };
}

function readDatabase(path: string, where: string): number {
  const match = /^\/?(\d{0,5})$/.exec(path);
  if (match === null) {
    throw new ConfigError(`${where}: the path must be a database number such as /15`);
  }
  return Number(match[1]);
}
