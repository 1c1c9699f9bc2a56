// Where a Consul agent is, how it is reached and what is asked of it: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, type PasswordSource } from '../../password.ts';
import { readConfigFile, readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, parseUrl, redactUrl, type Parameters } from '../../url.ts';

/** Who tells Consul that an instance is well: we do by renewing (`ttl`), Consul asks the instance (`http`), or both. */
export type CheckKind = 'ttl' | 'http' | 'both';

export interface ConsulLocation {
  /** The URL for people: without its token. */
  readonly url: string;
  /** One agent: a registration belongs to the agent that it was made at. */
  readonly server: Address;
  readonly socketPath?: string;
  readonly tls?: TlsFiles;
  readonly token: PasswordSource;
  /** Sent with every request (`ns`, `partition`). */
  readonly tenancy: Readonly<Record<string, string>>;
  /** Datacenter that is read; the agent's own if undefined. */
  readonly datacenter?: string;
  /** Only instances with this tag are read, and those that are written get it. */
  readonly tag?: string;
  /** Reads may be answered by any server, also by one that lags behind. */
  readonly stale: boolean;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly check: CheckKind;
  /** Of Consul's own check. */
  readonly checkPath: string;
  readonly checkIntervalMs: number;
  /** Consul removes an instance that has been critical for so long. */
  readonly deregisterAfterMs: number;
  /** The longest time that the agent keeps a query open while nothing changes. */
  readonly waitMs: number;
}

const commonParameters = {
  ttl: 'duration',
  heartbeat: 'duration',
  'token-file': 'text',
  dc: 'text',
  ns: 'text',
  partition: 'text',
  tag: 'text',
  stale: 'flag',
  check: 'text',
  'check-path': 'text',
  'check-interval': 'duration',
  'deregister-after': 'duration',
  wait: 'duration',
} as const;

const secureParameters = { ...commonParameters, ...tlsFileParameters } as const;

const defaultTimes = { ttlMs: 30_000, heartbeatMs: 10_000 };
/** Consul takes nothing shorter. */
const deregisterAfterMinMs = 60_000;
/** Consul takes nothing longer. */
const waitLimitsMs = { low: 1000, high: 600_000 };
const waitDefaultMaxMs = 30_000;

/**
 * Reads `consul://[token@]host[:8500]`, `consul+https://[token@]host[:8501]` or `consul+unix://[token@]/path/of.sock`. Throws
 * a ConfigError for anything that cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): ConsulLocation {
  const where = `registry ${redactUrl(text)}`;
  const { url, ...place } = readPlace(text, where);
  const secure = url.protocol === 'consul+https:';
  const parameters: Parameters<typeof secureParameters> = secure
    ? parseParameters(url, secureParameters)
    : parseParameters(url, commonParameters);
  const { dc, ns, partition, tag, stale = false } = parameters;
  const times = readLeaseTimes(parameters, defaultTimes, where);
  return {
    url: redactUrl(text),
    ...place,
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    token: readToken(url, parameters['token-file'], where),
    tenancy: { ...(ns !== undefined && { ns }), ...(partition !== undefined && { partition }) },
    ...(dc !== undefined && { datacenter: dc }),
    ...(tag !== undefined && { tag }),
    stale,
    ...times,
    ...readCheck(parameters, where),
    waitMs: readWait(parameters.wait ?? defaultWaitMs(times.ttlMs), where),
  };
}

function readPlace(
  text: string,
  where: string,
): { readonly url: URL; readonly server: Address; readonly socketPath?: string } {
  if (/^consul\+unix:/i.test(text)) {
    const url = parseUrl(text);
    const socketPath = decodeURIComponent(url.pathname);
    if (url.hostname !== '' || socketPath.length < 2 || url.hash !== '') {
      throw new ConfigError(`${where}: must be consul+unix:///path/of.sock`);
    }
    return { url, server: { host: 'localhost', port: 80 }, socketPath };
  }
  const { url, hosts } = parseHostsUrl(text, /^consul\+https:/i.test(text) ? 8501 : 8500);
  const [server, ...others] = hosts;
  if (server === undefined || others.length > 0) {
    throw new ConfigError(`${where}: give one host, the agent of this machine`);
  }
  if (url.pathname !== '' && url.pathname !== '/') {
    throw new ConfigError(`${where}: there is no path`);
  }
  return { url, server };
}

/** The token is the whole user information; a colon before it is allowed, as for a password. */
function readToken(url: URL, file: string | undefined, where: string): PasswordSource {
  const { username, password } = url;
  const given = username === '' ? password : username;
  if (username !== '' && password !== '') throw new ConfigError(`${where}: a token has no user`);
  if (file !== undefined) {
    if (given !== '') throw new ConfigError(`${where}: give a token or token-file, not both`);
    readConfigFile(file, 'token-file', where);
    return { kind: 'file', path: file };
  }
  return given === '' ? { kind: 'none' } : { kind: 'text', text: decodeUserInfo(given, where) };
}

function readCheck(
  parameters: Parameters<typeof commonParameters>,
  where: string,
): Pick<ConsulLocation, 'check' | 'checkPath' | 'checkIntervalMs' | 'deregisterAfterMs'> {
  const check = parameters.check ?? 'ttl';
  if (check !== 'ttl' && check !== 'http' && check !== 'both') {
    throw new ConfigError(`${where}: check must be ttl, http or both`);
  }
  const checkPath = parameters['check-path'] ?? '/';
  if (!checkPath.startsWith('/')) throw new ConfigError(`${where}: check-path must begin with "/"`);
  const checkIntervalMs = parameters['check-interval'] ?? 10_000;
  if (checkIntervalMs < 1000) {
    throw new ConfigError(`${where}: check-interval must be at least 1s`);
  }
  const deregisterAfterMs = parameters['deregister-after'] ?? deregisterAfterMinMs;
  if (deregisterAfterMs < deregisterAfterMinMs) {
    throw new ConfigError(`${where}: deregister-after must be at least 1m`);
  }
  return { check, checkPath, checkIntervalMs, deregisterAfterMs };
}

/**
 * An agent that stood still for a lease time takes everything for critical. It must have been noticed as silent before that,
 * so that the loss is not believed.
 */
function defaultWaitMs(ttlMs: number): number {
  return Math.max(waitLimitsMs.low, Math.min(waitDefaultMaxMs, ttlMs / 3));
}

function readWait(waitMs: number, where: string): number {
  if (waitMs < waitLimitsMs.low || waitMs > waitLimitsMs.high) {
    throw new ConfigError(`${where}: wait must be between 1s and 10m`);
  }
  return waitMs;
}
