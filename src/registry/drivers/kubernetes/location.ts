// Where the API server of a cluster is, how it is reached, and which namespace is meant: the meaning of a k8s URL.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { readConfigFile, type TlsFiles } from '../../tls-files.ts';
import { parseParameters, parseUrl, redactUrl, type Parameters } from '../../url.ts';
import { isNamespace } from './names.ts';

/** A token file is read again for each request: the kubelet replaces it well before it expires. */
export type TokenSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };

/** An API server, and as whom it is spoken to. */
export interface Cluster {
  readonly server: Address;
  /** Undefined for plain HTTP, which only a local proxy such as `kubectl proxy` serves. */
  readonly tls: TlsFiles | undefined;
  readonly token: TokenSource;
  readonly namespace: string | undefined;
}

export interface KubernetesLocation {
  /** The URL for people. */
  readonly url: string;
  readonly server: Address;
  readonly tls: TlsFiles | undefined;
  readonly token: TokenSource;
  /** Of services whose name gives none. */
  readonly namespace: string;
  readonly register: 'none' | 'slice';
  /** Name of the port to call; undefined: the first one. */
  readonly port: string | undefined;
  /** How long one watch lasts; a connection that died silently is noticed little later than that. */
  readonly watchMs: number;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** Reads the file at `path`; `context` is a name in it, or undefined for its current one. */
export type ReadKubeconfig = (
  path: string,
  context: string | undefined,
  where: string,
) => Promise<Cluster>;

const parameters = {
  kubeconfig: 'text',
  context: 'text',
  server: 'text',
  ca: 'text',
  servername: 'text',
  'token-file': 'text',
  register: 'text',
  port: 'text',
  watch: 'duration',
  ttl: 'duration',
  heartbeat: 'duration',
} as const;

/** Where every pod has its service account, and the name of the API server in every cluster. */
const mountedAt = '/var/run/secrets/kubernetes.io/serviceaccount';
const serverInCluster = 'https://kubernetes.default.svc';

const defaultTimes = { ttlMs: 30_000, heartbeatMs: 10_000 };
const defaultWatchMs = 60_000;

/**
 * Reads `k8s:[//namespace][?parameters]`. `mounted` is the folder of the pod's service account. Rejects with a ConfigError for
 * anything that cannot work, including files that cannot be read.
 */
export async function readLocation(
  text: string,
  readKubeconfig: ReadKubeconfig,
  mounted = mountedAt,
): Promise<KubernetesLocation> {
  const url = parseUrl(text);
  const where = `registry ${redactUrl(text)}`;
  if (!/^k8s:(?:\/\/[^/?#@:]*)?\/?(?:\?[^#]*)?$/i.test(text)) {
    throw new ConfigError(`${where}: must be k8s:[//namespace][?parameters]`);
  }
  const given = parseParameters(url, parameters);
  const cluster = await readCluster(given, readKubeconfig, mounted, where);
  const namespace = url.hostname === '' ? (cluster.namespace ?? 'default') : url.hostname;
  if (!isNamespace(namespace)) {
    throw new ConfigError(`${where}: "${namespace}" is not the name of a namespace`);
  }
  return {
    ...cluster,
    namespace,
    url: redactUrl(text),
    register: readRegister(given.register, where),
    port: given.port,
    watchMs: readWatch(given.watch, where),
    ...readLeaseTimes(given, defaultTimes, where),
  };
}

type Given = Parameters<typeof parameters>;

async function readCluster(
  given: Given,
  readKubeconfig: ReadKubeconfig,
  mounted: string,
  where: string,
): Promise<Cluster> {
  const { kubeconfig, context } = given;
  if (kubeconfig === undefined) {
    if (context !== undefined) throw new ConfigError(`${where}: context needs kubeconfig`);
    return readMounted(given, mounted, where);
  }
  for (const name of ['server', 'ca', 'servername', 'token-file'] as const) {
    if (given[name] !== undefined) {
      throw new ConfigError(`${where}: give kubeconfig or ${name}, not both`);
    }
  }
  return readKubeconfig(kubeconfig, context, where);
}

/** In a pod: what is mounted there, where the URL gives nothing else. */
function readMounted(given: Given, mounted: string, where: string): Cluster {
  const { server, ca, servername, 'token-file': tokenFile } = given;
  const mountedFile = (name: string): string | undefined => {
    const path = join(mounted, name);
    return existsSync(path) ? path : undefined;
  };
  if (server === undefined && mountedFile('token') === undefined) {
    throw new ConfigError(
      `${where}: there is no service account in ${mounted}; outside of a pod give kubeconfig or server`,
    );
  }
  const address = readServer(server ?? serverInCluster, where);
  // A token of the pod must not leave it in plain text.
  const tokenPath = tokenFile ?? (address.secure ? mountedFile('token') : undefined);
  if (tokenPath !== undefined) readConfigFile(tokenPath, 'token-file', where);
  const caPath = ca ?? mountedFile('ca.crt');
  const namespaceFile = mountedFile('namespace');
  return {
    server: address.server,
    tls: address.secure
      ? {
          ...(caPath !== undefined && { ca: readConfigFile(caPath, 'ca', where) }),
          ...(servername !== undefined && { servername }),
        }
      : undefined,
    token: tokenPath === undefined ? { kind: 'none' } : { kind: 'file', path: tokenPath },
    namespace: namespaceFile === undefined ? undefined : readFileSync(namespaceFile, 'utf8').trim(),
  };
}

/** Reads `https://host[:port]`, or `http://…`. Throws a ConfigError for anything else. */
export function readServer(
  text: string,
  where: string,
): { readonly server: Address; readonly secure: boolean } {
  const match = /^(https?):\/\/(?:\[([0-9a-f:.]+)\]|([^/:?#@\s]+))(?::(\d{1,5}))?\/?$/i.exec(text);
  const host = match?.[2] ?? match?.[3];
  const secure = match?.[1]?.toLowerCase() === 'https';
  const port = match?.[4] === undefined ? (secure ? 443 : 80) : Number(match[4]);
  if (host === undefined || port === 0 || port > 65_535) {
    throw new ConfigError(`${where}: the server must be https://host[:port], without a path`);
  }
  return { server: { host, port }, secure };
}

function readRegister(text: string | undefined, where: string): 'none' | 'slice' {
  if (text === undefined || text === 'none') return 'none';
  if (text === 'slice') return 'slice';
  throw new ConfigError(`${where}: register must be none or slice`);
}

function readWatch(watchMs: number | undefined, where: string): number {
  if (watchMs === undefined) return defaultWatchMs;
  if (watchMs < 1000) throw new ConfigError(`${where}: watch must be at least 1s`);
  return watchMs;
}
