// The registries that are proven on servers of their own: one line each, for the run of their tests and its table.
import type { ContractBackend } from '../contract/backend.ts';
import { requireDnsmasq } from './dnsmasq.ts';

export interface RegistryEntry {
  readonly name: string;
  /** Why its server cannot be had here, if so. May install or build it. */
  readonly unavailable: () => Promise<string | undefined>;
  /** Undefined where nothing can be registered by us. */
  readonly backend?: () => Promise<ContractBackend>;
  /** How the paths of its test files begin. */
  readonly tests: readonly string[];
}

const drivers = 'test/registry/drivers';

export const registryTable: readonly RegistryEntry[] = [
  entryOf('file', [], async () => (await import('../contract/backends/file.ts')).fileBackend),
  entryOf('redis', [], async () => (await import('../contract/backends/redis.ts')).redisBackend),
  entryOf(
    'redis-sentinel',
    [`${drivers}/redis/sentinel`, 'test/e2e/redis-failover'],
    async () => (await import('../contract/backends/redis-sentinel.ts')).redisSentinelBackend,
  ),
  entryOf(
    'redis-cluster',
    [`${drivers}/redis/cluster`],
    async () => (await import('../contract/backends/redis-cluster.ts')).redisClusterBackend,
  ),
  entryOf(
    'hydra',
    [`${drivers}/hydra/`],
    async () => (await import('../contract/backends/hydra.ts')).hydraBackend,
  ),
  entryOf(
    'consul',
    [`${drivers}/consul/`],
    async () => (await import('../contract/backends/consul.ts')).consulBackend,
  ),
  entryOf(
    'eureka',
    [`${drivers}/eureka/`, 'test/e2e/eureka'],
    async () => (await import('../contract/backends/eureka.ts')).eurekaBackend,
  ),
  entryOf(
    'etcd',
    [`${drivers}/etcd/`],
    async () => (await import('../contract/backends/etcd.ts')).etcdBackend,
  ),
  entryOf(
    'zookeeper',
    [`${drivers}/zookeeper/`, 'test/contract/zookeeper-'],
    async () => (await import('../contract/backends/zookeeper.ts')).zooKeeperBackend,
  ),
  entryOf(
    'kubernetes',
    [`${drivers}/kubernetes/`, 'test/examples/kubernetes'],
    async () => (await import('../contract/backends/kubernetes.ts')).kubernetesBackend,
  ),
  {
    name: 'dns',
    tests: ['test/contract/dns.', `${drivers}/dns/`, 'test/dns/'],
    unavailable: () => Promise.resolve(requireDnsmasq()),
  },
];

function entryOf(
  name: string,
  tests: readonly string[],
  backend: () => Promise<ContractBackend>,
): RegistryEntry {
  return {
    name,
    backend,
    tests: [`test/contract/${name}.`, ...tests],
    unavailable: async () => (await backend()).available(),
  };
}
