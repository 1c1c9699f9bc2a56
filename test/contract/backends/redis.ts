// A real Redis server for the contract suite.
import { spawnSync } from 'node:child_process';
import { requireRedis, startRedis, type RedisServer } from '../../servers/redis.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf, urlsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the server share one, each with a prefix of its own. */
class RedisBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  readonly #servers = new CaseServers(() => startRedis({ password }));

  version(): Promise<string> {
    const said = spawnSync('redis-server', ['--version']).stdout.toString();
    return Promise.resolve(/v=(\S+)/.exec(said)?.[1] ?? 'unknown');
  }

  available(): string | undefined {
    return requireRedis();
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
  server: RedisServer,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret: string): string =>
    `redis://:${secret}@${host}:${port}?prefix=${prefix}&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    ...faultsOf(server),
    ...urlsOf(server, urlAt),
    writeForeignRecord: async (service, text) => {
      foreign++;
      await server.command('HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisBackend: ContractBackend = new RedisBackend();
