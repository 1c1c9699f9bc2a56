// A real Redis Cluster for the contract suite.
import {
  requireRedisCluster,
  startRedisCluster,
  type RedisCluster,
} from '../../servers/redis-cluster.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the servers share them, each with a prefix of its own. */
class RedisClusterBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {
    dropSilently: "a cluster names its servers' own addresses, which lead past the suite's proxy",
  };
  readonly #servers = new CaseServers(() => startRedisCluster({ password }));

  async version(): Promise<string> {
    return (await this.#servers.shared()).version();
  }

  available(): string | undefined {
    return requireRedisCluster();
  }

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    return registryOf(server, `case${number}`, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
  }
}

function registryOf(
  cluster: RedisCluster,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const query = `?prefix=${prefix}&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    url: `${cluster.url}${query}`,
    ...faultsOf(cluster),
    wrongPasswordUrl: `${cluster.urlWith('wrong')}${query}`,
    writeForeignRecord: async (service, text) => {
      foreign++;
      await cluster.command(service, 'HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisClusterBackend: ContractBackend = new RedisClusterBackend();
