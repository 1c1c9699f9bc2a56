// A real Redis Cluster for the contract suite.
import {
  requireRedisCluster,
  startRedisCluster,
  type RedisCluster,
} from '../../servers/redis-cluster.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

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
  #shared: Promise<RedisCluster> | undefined;
  #opened = 0;

  async version(): Promise<string> {
    return (await this.#cluster()).version();
  }

  available(): string | undefined {
    return requireRedisCluster();
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const prefix = `case${this.#opened}`;
    if (!own) return registryOf(await this.#cluster(), prefix, async () => undefined);
    const cluster = await startRedisCluster({ password });
    return registryOf(cluster, prefix, () => cluster.stop());
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }

  #cluster(): Promise<RedisCluster> {
    return (this.#shared ??= startRedisCluster({ password }));
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
    restartEmpty: () => cluster.restartEmpty(),
    restartWithData: (downMs) => cluster.restartWithData(downMs),
    pause: async () => {
      cluster.pause();
    },
    resume: async () => {
      cluster.resume();
    },
    wrongPasswordUrl: `${cluster.urlWith('wrong')}${query}`,
    writeForeignRecord: async (service, text) => {
      foreign++;
      await cluster.command(service, 'HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisClusterBackend: ContractBackend = new RedisClusterBackend();
