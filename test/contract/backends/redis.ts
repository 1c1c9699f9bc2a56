// A real Redis server for the contract suite.
import { spawnSync } from 'node:child_process';
import { requireRedis, startRedis, type RedisServer } from '../../servers/redis.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the server share one, each with a prefix of its own. */
class RedisBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  #shared: Promise<RedisServer> | undefined;
  #opened = 0;

  version(): Promise<string> {
    const said = spawnSync('redis-server', ['--version']).stdout.toString();
    return Promise.resolve(/v=(\S+)/.exec(said)?.[1] ?? 'unknown');
  }

  available(): string | undefined {
    return requireRedis();
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const prefix = `case${this.#opened}`;
    if (!own) {
      this.#shared ??= startRedis({ password });
      return registryOf(await this.#shared, prefix, async () => undefined);
    }
    const server = await startRedis({ password });
    return registryOf(server, prefix, () => server.stop());
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }
}

function registryOf(
  server: RedisServer,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret = password): string =>
    `redis://:${secret}@${host}:${port}?prefix=${prefix}&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  const here = { host: '127.0.0.1', port: server.port };
  return {
    url: urlAt(here.host, here.port),
    restartEmpty: () => server.restartEmpty(),
    restartWithData: (downMs) => server.restartWithData(downMs),
    pause: async () => {
      server.pause();
    },
    resume: async () => {
      server.resume();
    },
    server: { address: here, urlAt: ({ host, port }) => urlAt(host, port) },
    wrongPasswordUrl: urlAt(here.host, here.port, 'wrong'),
    writeForeignRecord: async (service, text) => {
      foreign++;
      await server.command('HSET', `${prefix}:{${service}}:i`, `foreign${foreign}`, text);
    },
    close,
  };
}

export const redisBackend: ContractBackend = new RedisBackend();
