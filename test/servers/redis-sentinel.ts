// Real replicated Redis servers for tests: a primary, two replicas, and three Sentinels that watch them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import type { Certificates } from './certificates.ts';
import { clientTls, requireRedis, startRedis, tlsWords, type RedisServer } from './redis.ts';
import { freePort } from '../support/free-port.ts';
import { accepts, requireProgram, ServerProcess } from './server-process.ts';

export interface RedisSentinelOptions {
  readonly password?: string;
  readonly sentinelPassword?: string;
  /** TLS only, between all of them too; clients must show a certificate. */
  readonly tls?: Certificates;
}

/** What the Sentinels call the primary. */
export const primaryName = 'main';
/** Without an answer for so long, a Sentinel takes the primary for dead. */
export const downAfterMs = 1000;

/** Why tests with Sentinel cannot run here, if they cannot. */
export function requireRedisSentinel(): string | undefined {
  return requireRedis() ?? requireProgram('redis-sentinel', ['redis-sentinel']);
}

export async function startRedisSentinel(
  options: RedisSentinelOptions = {},
): Promise<RedisSentinelGroup> {
  const group = new RedisSentinelGroup(options);
  try {
    await group.start();
  } catch (error) {
    await group.stop();
    throw error;
  }
  return group;
}

const replicas = 2;
/** For one answer of a Sentinel that works. */
const answerMs = 5000;
const sentinels = 3;

export class RedisSentinelGroup {
  readonly #options: RedisSentinelOptions;
  /** By port; one that was killed is not there. */
  readonly #servers = new Map<number, RedisServer>();
  readonly #sentinels = new Map<number, ServerProcess>();

  constructor(options: RedisSentinelOptions) {
    this.#options = options;
  }

  /** With the primary's password; without a Sentinel's. */
  get url(): string {
    return this.urlWith(this.#options.password);
  }

  urlWith(password: string | undefined): string {
    const user = password === undefined ? '' : `:${password}@`;
    const hosts = [...this.#sentinels.keys()].map((port) => `127.0.0.1:${port}`);
    const scheme = this.#options.tls === undefined ? 'redis' : 'rediss';
    return `${scheme}+sentinel://${user}${hosts.join()}/${primaryName}`;
  }

  async start(): Promise<void> {
    const primary = await this.#startServer();
    for (let count = 0; count < replicas; count++) await this.#startServer(primary);
    for (let count = 0; count < sentinels; count++) await this.#startSentinel(primary);
    await this.untilWhole();
  }

  /** The port of the primary that a majority of the Sentinels name. */
  async primaryPort(): Promise<number> {
    const named = [...this.#sentinels.keys()].map((port) =>
      this.#askSentinel(port, 'GET-MASTER-ADDR-BY-NAME', primaryName),
    );
    const ports = (await Promise.all(named)).map((answer) => Number((answer as string[])[1]));
    const agreed = ports.find((port) => ports.filter((other) => other === port).length > 1);
    if (agreed === undefined) throw new Error(`they name ${ports.join()}`);
    return agreed;
  }

  /** Sends one command to the primary. */
  async command(...words: readonly string[]): Promise<unknown> {
    return this.#server(await this.primaryPort()).command(...words);
  }

  /** Sends one command to every Sentinel. */
  async commandSentinels(...words: readonly string[]): Promise<void> {
    for (const port of this.#sentinels.keys()) await this.#ask(port, words);
  }

  async version(): Promise<string> {
    return versionIn(await this.command('INFO', 'server'));
  }

  /** Ends it without a word, and tells its port. */
  async killPrimary(): Promise<number> {
    const port = await this.primaryPort();
    const server = this.#server(port);
    this.#servers.delete(port);
    await server.stop();
    return port;
  }

  /** Has the Sentinels replace a primary that works; tells the port of the former one. */
  async failOver(): Promise<number> {
    const [anySentinel = 0] = this.#sentinels.keys();
    const port = await this.primaryPort();
    await this.#askSentinel(anySentinel, 'FAILOVER', primaryName);
    return port;
  }

  /** Resolves with the new primary's port when there is another one than `former` and it says so itself. */
  untilFailedOver(former: number): Promise<number> {
    return eventually(
      'a fail-over',
      async () => {
        const port = await this.primaryPort();
        const [role] = (await this.#server(port).command('ROLE')) as readonly unknown[];
        return port !== former && role === 'master' && port;
      },
      { deadlineMs: 20_000 },
    );
  }

  /** Resolves when the server says that it follows another one. */
  async untilReplica(port: number): Promise<void> {
    await eventually(
      'a replica',
      async () => {
        const [role] = (await this.#server(port).command('ROLE')) as readonly unknown[];
        return role === 'slave';
      },
      { deadlineMs: 20_000 },
    );
  }

  /** All servers are killed and up again without data. */
  async restartEmpty(): Promise<void> {
    await this.#each((server) => server.restartEmpty());
  }

  /** All servers end in order, are down for about that long, and are up again with their data. */
  async restartWithData(downMs: number): Promise<void> {
    await this.#each((server) => server.restartWithData(downMs));
  }

  pause(): void {
    for (const server of this.#servers.values()) server.pause();
  }

  pausePrimary(port: number): void {
    this.#server(port).pause();
  }

  resume(): void {
    for (const server of this.#servers.values()) server.resume();
  }

  async stop(): Promise<void> {
    const processes = [...this.#sentinels.values(), ...this.#servers.values()];
    await Promise.all(processes.map((process) => process.stop()));
  }

  /** Resolves when every Sentinel knows all others and all servers. */
  async untilWhole(): Promise<void> {
    const expected = this.#servers.size - 1;
    for (const port of this.#sentinels.keys()) {
      await eventually(
        'the Sentinels know each other and the servers',
        async () => {
          const state = fieldsOf(await this.#askSentinel(port, 'MASTER', primaryName));
          return (
            state.get('flags') === 'master' &&
            Number(state.get('num-slaves')) >= expected &&
            Number(state.get('num-other-sentinels')) === sentinels - 1
          );
        },
        { deadlineMs: 20_000 },
      );
    }
  }

  async #startServer(primary?: number): Promise<number> {
    const { password, tls } = this.#options;
    const server = await startRedis({
      ...(password !== undefined && { password }),
      ...(tls !== undefined && { tls }),
      args: [
        ...(primary === undefined ? [] : ['--replicaof', '127.0.0.1', String(primary)]),
        ...(password === undefined ? [] : ['--masterauth', password]),
        ...['--repl-diskless-sync-delay', '0'],
      ],
    });
    this.#servers.set(server.port, server);
    return server.port;
  }

  async #startSentinel(primary: number): Promise<void> {
    const { password, sentinelPassword, tls } = this.#options;
    const port = await freePort();
    const process = new ServerProcess('redis-sentinel');
    const file = join(process.directory, 'sentinel.conf');
    const lines = [
      ...(tls === undefined
        ? [`port ${port}`]
        : tlsWords(port, tls).map(([name, value]) => `${name} ${value}`)),
      'bind 127.0.0.1',
      `dir ${process.directory}`,
      `sentinel monitor ${primaryName} 127.0.0.1 ${primary} 2`,
      `sentinel down-after-milliseconds ${primaryName} ${downAfterMs}`,
      `sentinel failover-timeout ${primaryName} 5000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${primaryName} ${password}`]),
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.#sentinels.set(port, process);
    await process.start({ file: 'redis-sentinel', args: [file] }, () => accepts(port));
  }

  #askSentinel(port: number, ...words: readonly string[]): Promise<unknown> {
    return this.#ask(port, ['SENTINEL', ...words]);
  }

  /** Sends one command to a Sentinel over a connection of its own. */
  async #ask(port: number, words: readonly string[]): Promise<unknown> {
    const { sentinelPassword: password, tls } = this.#options;
    const [name = '', ...args] = words;
    const client = new Redis(port, '127.0.0.1', {
      lazyConnect: true,
      connectTimeout: answerMs,
      commandTimeout: answerMs,
      retryStrategy: () => null,
      enableReadyCheck: false,
      ...(password !== undefined && { password }),
      ...clientTls(tls),
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  #server(port: number): RedisServer {
    const server = this.#servers.get(port);
    if (server === undefined) throw new Error(`no server at ${port}`);
    return server;
  }

  async #each(restart: (server: RedisServer) => Promise<void>): Promise<void> {
    await Promise.all([...this.#servers.values()].map(restart));
  }
}

/** Names and values, alternating. */
function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const words = reply as readonly string[];
  return new Map(
    words.flatMap((name, index) => (index % 2 === 0 ? [[name, words[index + 1] ?? '']] : [])),
  );
}

/** The version in the answer of INFO. */
export function versionIn(answer: unknown): string {
  return /^redis_version:(\S+)/m.exec(String(answer))?.[1] ?? 'unknown';
}
