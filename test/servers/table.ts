// The registries that are proven on servers of their own: one line each, for the run of their tests and its table.
import type { ContractBackend } from '../contract/backend.ts';

export interface RegistryEntry {
  /** Begins the names of its test files. */
  readonly name: string;
  /** Why its server cannot be had here, if so. May install or build it. */
  readonly unavailable: () => Promise<string | undefined>;
  /** Undefined where nothing can be registered by us. */
  readonly backend?: () => Promise<ContractBackend>;
}

export const registryTable: readonly RegistryEntry[] = [
  entryOf('file', async () => (await import('../contract/backends/file.ts')).fileBackend),
  entryOf('redis', async () => (await import('../contract/backends/redis.ts')).redisBackend),
  entryOf('etcd', async () => (await import('../contract/backends/etcd.ts')).etcdBackend),
  entryOf(
    'zookeeper',
    async () => (await import('../contract/backends/zookeeper.ts')).zooKeeperBackend,
  ),
];

function entryOf(name: string, backend: () => Promise<ContractBackend>): RegistryEntry {
  return { name, backend, unavailable: async () => (await backend()).available() };
}
