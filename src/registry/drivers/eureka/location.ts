// Where a Eureka registry is and how it is used: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, redactUrl, type Parameters } from '../../url.ts';

export interface EurekaLocation {
  /** The URL for people: without its password. */
  readonly url: string;
  /** Equal servers that replicate to each other. */
  readonly servers: readonly Address[];
  /** What every request's path begins with, such as `/eureka`. */
  readonly path: string;
  readonly user: string;
  readonly password: PasswordSource;
  readonly tls?: TlsFiles;
  /** Of instances that are registered without a zone. */
  readonly zone?: string;
  /** Services are named by `vipAddress` instead of by application. */
  readonly vip: boolean;
  /** Mean time between two questions for changes. */
  readonly pollMs: number;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

const commonParameters = {
  zone: 'text',
  poll: 'duration',
  vip: 'flag',
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const secureParameters = { ...commonParameters, ...tlsFileParameters } as const;

const defaultPort = 8761;
const defaultPath = '/eureka';
const defaultPollMs = 10_000;
/** Eureka's own times: a server expects each client to renew every 30 s, and counts renewals against that. */
const defaultTimes = { ttlMs: 90_000, heartbeatMs: 30_000 };

/**
 * Reads `eureka://[user:password@]host[:8761][,host…][/eureka]`, or `eureka+https://`. Throws a ConfigError for anything that
 * cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): EurekaLocation {
  const { url, hosts } = parseHostsUrl(text, defaultPort);
  const where = `registry ${redactUrl(text)}`;
  const secure = url.protocol === 'eureka+https:';
  if (!secure && url.protocol !== 'eureka:') {
    throw new ConfigError(`${where}: the scheme must be eureka or eureka+https`);
  }
  const parameters: Parameters<typeof secureParameters> = secure
    ? parseParameters(url, secureParameters)
    : parseParameters(url, commonParameters);
  const { zone, poll: pollMs = defaultPollMs, vip = false } = parameters;
  if (pollMs <= 0) throw new ConfigError(`${where}: poll must be more than 0`);
  const path = url.pathname.replace(/\/+$/, '');
  return {
    url: redactUrl(text),
    servers: hosts,
    path: path === '' ? defaultPath : path,
    user: decodeUserInfo(url.username, where),
    password: readPassword(url, parameters['password-file'], where),
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    ...(zone !== undefined && { zone }),
    vip,
    pollMs,
    ...readLeaseTimes(parameters, defaultTimes, where),
  };
}
