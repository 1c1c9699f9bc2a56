// A Hydra fleet's keyspace in a real Redis server for the contract suite.
import { requireRedis, startRedis, type RedisServer } from '../../servers/redis.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf, urlsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';
const databases = 64;

/** Cases that do not hurt the server share one, each with a database of its own: all fleets have the same keys. */
class HydraBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  readonly #servers = new CaseServers(() =>
    startRedis({ password, args: ['--databases', String(databases)] }),
  );

  available(): string | undefined {
    return requireRedis();
  }

  async version(): Promise<string> {
    const info = await (await this.#servers.shared()).command('INFO', 'server');
    return /redis_version:(\S+)/.exec(String(info))?.[1] ?? 'unknown';
  }

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    return registryOf(server, number % databases, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
  }
}

function registryOf(
  server: RedisServer,
  database: number,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret: string): string =>
    `hydra+redis://:${secret}@${host}:${port}/${database}?ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    ...faultsOf(server),
    ...urlsOf(server, urlAt),
    // Present, with a node record that is none.
    writeForeignRecord: async (service, text) => {
      foreign++;
      const id = `foreign${foreign}`;
      const presence = `hydra:service:${service}:${id}:presence`;
      const script = `redis.call('SELECT', ARGV[1])
        redis.call('HSET', 'hydra:service:nodes', ARGV[2], ARGV[3])
        return redis.call('SET', KEYS[1], ARGV[2])`;
      await server.command('EVAL', script, '1', presence, String(database), id, text);
    },
    close,
  };
}

export const hydraBackend: ContractBackend = new HydraBackend();
