// Where an etcd registry is and how it is reached: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, redactUrl, type Parameters } from '../../url.ts';

export interface EtcdLocation {
  /** The URL for people: without its password. */
  readonly url: string;
  /** Members of one cluster. */
  readonly servers: readonly Address[];
  readonly tls?: TlsFiles;
  readonly login?: EtcdLogin;
  /** What every key begins with; without a slash at the end. */
  readonly prefix: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

export interface EtcdLogin {
  readonly user: string;
  readonly password: PasswordSource;
}

const commonParameters = {
  ttl: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const defaultTimes = { ttlMs: 10_000, heartbeatMs: 3000 };
const defaultPrefix = '/outrigger/services';

/**
 * Reads `etcd://[user:password@]host[:2379][,host…][/prefix]`, or `etcds://` for TLS. Throws a ConfigError for anything that
 * cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): EtcdLocation {
  const { url, hosts } = parseHostsUrl(text, 2379);
  const where = `registry ${redactUrl(text)}`;
  const secure = url.protocol === 'etcds:';
  const parameters: Parameters<typeof commonParameters & typeof tlsFileParameters> = secure
    ? parseParameters(url, { ...commonParameters, ...tlsFileParameters })
    : parseParameters(url, commonParameters);
  const login = readLogin(url, parameters['password-file'], where);
  return {
    url: redactUrl(text),
    servers: hosts,
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    ...(login !== undefined && { login }),
    prefix: readPrefix(url.pathname, where),
    ...readLeaseTimes(parameters, defaultTimes, where),
  };
}

function readLogin(url: URL, file: string | undefined, where: string): EtcdLogin | undefined {
  const password = readPassword(url, file, where);
  if (password.kind === 'none') return undefined;
  const user = decodeUserInfo(url.username, where);
  if (user === '') throw new ConfigError(`${where}: the password has no user`);
  return { user, password };
}

function readPrefix(path: string, where: string): string {
  let prefix: string;
  try {
    prefix = decodeURIComponent(path).replace(/\/+$/, '');
  } catch {
    throw new ConfigError(`${where}: the path must be percent-encoded`);
  }
  return prefix === '' ? defaultPrefix : prefix;
}
