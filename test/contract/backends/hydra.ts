// A Hydra fleet's keyspace in a real Redis server for the contract suite.
import { requireRedis, startRedis, type RedisServer } from '../../servers/redis.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';
const databases = 64;

/** Cases that do not hurt the server share one, each with a database of its own: all fleets have the same keys. */
class HydraBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  #shared: Promise<RedisServer> | undefined;
  #opened = 0;

  available(): string | undefined {
    return requireRedis();
  }

  async version(): Promise<string> {
    const info = await (await this.#server()).command('INFO', 'server');
    return /redis_version:(\S+)/.exec(String(info))?.[1] ?? 'unknown';
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const database = this.#opened % databases;
    if (!own) return registryOf(await this.#server(), database, async () => undefined);
    const server = await startServer();
    return registryOf(server, database, () => server.stop());
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
    this.#shared = undefined;
  }

  #server(): Promise<RedisServer> {
    this.#shared ??= startServer();
    return this.#shared;
  }
}

function startServer(): Promise<RedisServer> {
  return startRedis({ password, args: ['--databases', String(databases)] });
}

function registryOf(
  server: RedisServer,
  database: number,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret = password): string =>
    `hydra+redis://:${secret}@${host}:${port}/${database}?ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
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
