// Which driver serves a registry URL. A driver's module, and with it its client library, is only loaded when it is used.
import { ConfigError } from '../core/errors.ts';
import { nearest } from '../core/service-name.ts';
import type { Driver, DriverDeps } from './driver.ts';
import { redactUrl } from './url.ts';

type OpenDriver = (url: string, deps: DriverDeps) => Driver | Promise<Driver>;
type LoadDriver = () => Promise<OpenDriver>;

const schemes: ReadonlyMap<string, LoadDriver> = new Map<string, LoadDriver>([
  ['file', async () => (await import('./drivers/file/driver.ts')).openFile],
  ['redis', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['rediss', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['redis+sentinel', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['rediss+sentinel', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['redis+cluster', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['rediss+cluster', async () => (await import('./drivers/redis/driver.ts')).openRedis],
  ['hydra+redis', async () => (await import('./drivers/hydra/driver.ts')).openHydra],
  ['hydra+rediss', async () => (await import('./drivers/hydra/driver.ts')).openHydra],
  ['etcd', async () => (await import('./drivers/etcd/driver.ts')).openEtcd],
  ['etcds', async () => (await import('./drivers/etcd/driver.ts')).openEtcd],
  ['dns', async () => (await import('./drivers/dns/driver.ts')).openDns],
  ['static', async () => (await import('./drivers/static/driver.ts')).openStatic],
  ['eureka', async () => (await import('./drivers/eureka/driver.ts')).openEureka],
  ['eureka+https', async () => (await import('./drivers/eureka/driver.ts')).openEureka],
  ['consul', async () => (await import('./drivers/consul/driver.ts')).openConsul],
  ['consul+https', async () => (await import('./drivers/consul/driver.ts')).openConsul],
  ['consul+unix', async () => (await import('./drivers/consul/driver.ts')).openConsul],
  ['k8s', async () => (await import('./drivers/kubernetes/driver.ts')).openKubernetes],
  ['zk', async () => (await import('./drivers/zookeeper/driver.ts')).openZooKeeper],
  ['zks', async () => (await import('./drivers/zookeeper/driver.ts')).openZooKeeper],
]);

/** Schemes that one could expect; their driver says why there is no such registry. */
const refusedSchemes: ReadonlyMap<string, LoadDriver> = new Map<string, LoadDriver>([
  ['hydra+redis+cluster', async () => (await import('./drivers/hydra/driver.ts')).openHydra],
  ['hydra+redis+sentinel', async () => (await import('./drivers/hydra/driver.ts')).openHydra],
]);

/** Rejects with a ConfigError for a URL that no driver serves or whose driver does not understand it. Connects to nothing. */
export async function openDriver(url: string, deps: DriverDeps): Promise<Driver> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw new ConfigError(`registry "${redactUrl(url)}": not a URL; ${validSchemes()}`);
  }
  const load = schemes.get(scheme) ?? refusedSchemes.get(scheme);
  if (load === undefined) {
    const near = nearest(scheme, schemes.keys());
    const hint = near === undefined ? validSchemes() : `did you mean "${near}:"?`;
    throw new ConfigError(`registry "${redactUrl(url)}": unknown scheme "${scheme}:"; ${hint}`);
  }
  const open = await load();
  return open(url, deps);
}

function validSchemes(): string {
  return `valid are ${[...schemes.keys()].map((scheme) => `${scheme}:`).join(', ')}`;
}
