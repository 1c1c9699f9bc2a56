// A real Redis Cluster for tests: three servers that have a third of the slots each, and on demand a replica of each.
import { slotOf } from '../../src/registry/drivers/redis/hash-slot.ts';
import { eventually } from '../support/eventually.ts';
import type { Certificates } from './certificates.ts';
import { startRedis, type RedisServer } from './redis.ts';
import { versionIn } from './redis-sentinel.ts';
import { freePort } from '../support/free-port.ts';

export interface RedisClusterOptions {
  readonly password?: string;
  /** Servers with slots; 3 by default. */
  readonly primaries?: number;
  /** Of each of them; none by default. */
  readonly replicas?: number;
  /** What the servers tell others of their ports. */
  readonly announcePort?: number;
  readonly port?: number;
  /** TLS only, between all of them too; clients must show a certificate. */
  readonly tls?: Certificates;
}

export { requireRedis as requireRedisCluster } from './redis.ts';

/** A server that does not answer for so long is taken for dead by the others. */
export const nodeTimeoutMs = 1000;
const slots = 16_384;

export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const cluster = new RedisCluster(options);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

interface Node {
  readonly server: RedisServer;
  readonly id: string;
}

/** One step of moving a slot; a test may look or wait after each. */
export type MoveStep = 'importing' | 'migrating' | 'migrated' | 'owned';

export class RedisCluster {
  readonly #options: RedisClusterOptions;
  /** Those that began with slots are the first. */
  readonly #nodes: Node[] = [];

  constructor(options: RedisClusterOptions) {
    this.#options = options;
  }

  /** With the password. */
  get url(): string {
    return this.urlWith(this.#options.password);
  }

  urlWith(password: string | undefined): string {
    const user = password === undefined ? '' : `:${password}@`;
    const hosts = this.#nodes.map(({ server }) => `127.0.0.1:${server.port}`);
    const scheme = this.#options.tls === undefined ? 'redis' : 'rediss';
    return `${scheme}+cluster://${user}${hosts.join()}`;
  }

  async start(): Promise<void> {
    const { primaries = 3, replicas = 0 } = this.#options;
    for (let count = 0; count < primaries * (replicas + 1); count++) await this.#startNode();
    for (const [index, { server }] of this.#nodes.slice(0, primaries).entries()) {
      const first = Math.ceil((slots * index) / primaries);
      const last = Math.ceil((slots * (index + 1)) / primaries) - 1;
      await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      await server.command('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last));
    }
    const [head] = this.#nodes;
    for (const { server } of this.#nodes.slice(1)) await this.#meet(head, server.port);
    await eventually('all know all', async () => {
      const known = await Promise.all(this.#nodes.map(({ server }) => infoOf(server)));
      return known.every((info) => info.includes(`cluster_known_nodes:${this.#nodes.length}\r`));
    });
    for (const [index, { server }] of this.#nodes.slice(primaries).entries()) {
      await server.command('CLUSTER', 'REPLICATE', this.#nodes[index % primaries]?.id ?? '');
    }
    await this.untilWhole();
  }

  /** The server that has the keys of a service. */
  async ownerOf(service: string): Promise<RedisServer> {
    return (await this.#ownerOf(slotOf(service))).server;
  }

  /** The servers that have others' slots. */
  async othersThan(owner: RedisServer): Promise<readonly RedisServer[]> {
    const map = await this.#slots();
    const ports = new Set(map.map(([, , [, port]]) => port));
    return this.#nodes
      .map(({ server }) => server)
      .filter(({ port }) => port !== owner.port && ports.has(port));
  }

  /** A server that is ready to take over from the one that has the keys of a service. */
  async replicaOf(service: string): Promise<RedisServer> {
    const { id } = await this.#ownerOf(slotOf(service));
    const [anyNode] = this.#nodes;
    const lines = (await anyNode?.server.command('CLUSTER', 'REPLICAS', id)) as readonly string[];
    const replica = this.#nodes.find((node) => lines.some((line) => line.startsWith(node.id)));
    if (replica === undefined) throw new Error('it has no replica');
    return replica.server;
  }

  /** Resolves when the server has the keys of a service and the others know it. */
  async untilOwner(service: string, server: RedisServer): Promise<void> {
    await eventually('it has taken over', async () => (await this.ownerOf(service)) === server, {
      deadlineMs: 20_000,
    });
  }

  /** Sends one command to the server that has the keys of a service. */
  async command(service: string, ...words: readonly string[]): Promise<unknown> {
    return (await this.ownerOf(service)).command(...words);
  }

  async version(): Promise<string> {
    return versionIn(await this.#nodes[0]?.server.command('INFO', 'server'));
  }

  /**
   * Moves the slot of a service to another server, by the steps of the Redis documentation ("Redis Cluster 101", resharding).
   * `after` is waited for after each of them.
   */
  async moveSlotOf(
    service: string,
    to: RedisServer,
    after: (step: MoveStep) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const slot = String(slotOf(service));
    const source = await this.#ownerOf(Number(slot));
    const target = this.#nodes.find(({ server }) => server === to);
    if (target === undefined) throw new Error('not a server of this cluster');
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
    await after('importing');
    await source.server.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
    await after('migrating');
    await this.#migrate(slot, source.server, to);
    await after('migrated');
    const rest = this.#nodes.filter((node) => node !== target && node !== source);
    for (const { server } of [target, source, ...rest]) {
      // A replica refuses it, and hears of it from its primary.
      await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', target.id).catch(() => undefined);
    }
    await after('owned');
  }

  /** Ends the server without a word; it cannot be started again. */
  async kill(server: RedisServer): Promise<void> {
    const index = this.#nodes.findIndex((node) => node.server === server);
    this.#nodes.splice(index, 1);
    await server.stop();
  }

  async restartEmpty(): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server.restartEmpty()));
  }

  async restartWithData(downMs: number): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server.restartWithData(downMs)));
  }

  pause(): void {
    for (const { server } of this.#nodes) server.pause();
  }

  resume(): void {
    for (const { server } of this.#nodes) server.resume();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server.stop()));
  }

  /** Resolves when every server says that the cluster works and that all slots have a server. */
  async untilWhole(): Promise<void> {
    await eventually(
      'the cluster works',
      async () => {
        const infos = await Promise.all(this.#nodes.map(({ server }) => infoOf(server)));
        const roles = await Promise.all(this.#nodes.map(({ server }) => isSettled(server)));
        return roles.every(Boolean) && infos.every((info) => info.includes('cluster_state:ok'));
      },
      { deadlineMs: 20_000 },
    );
  }

  async #startNode(): Promise<void> {
    const { password, announcePort, port, tls } = this.#options;
    const server = await startRedis({
      ...(password !== undefined && { password }),
      ...(port !== undefined && { port }),
      ...(tls !== undefined && { tls }),
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)],
        ...['--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(await freePort())],
        ...['--repl-diskless-sync-delay', '0', '--cluster-replica-validity-factor', '0'],
        ...(announcePort === undefined ? [] : ['--cluster-announce-port', String(announcePort)]),
        ...(password === undefined ? [] : ['--masterauth', password]),
        ...(tls === undefined ? [] : ['--tls-cluster', 'yes']),
      ],
    });
    this.#nodes.push({ server, id: String(await server.command('CLUSTER', 'MYID')) });
  }

  async #meet(node: Node | undefined, port: number): Promise<void> {
    const info = this.#nodes.find(({ server }) => server.port === port);
    const config = (await info?.server.command('CONFIG', 'GET', 'cluster-port')) as string[];
    await node?.server.command('CLUSTER', 'MEET', '127.0.0.1', String(port), config[1] ?? '');
  }

  async #ownerOf(slot: number): Promise<Node> {
    const range = (await this.#slots()).find(([first, last]) => first <= slot && slot <= last);
    const node = this.#nodes.find(({ server }) => server.port === range?.[2][1]);
    if (node === undefined) throw new Error(`no server has slot ${slot}`);
    return node;
  }

  /** As the first server that answers knows it. */
  async #slots(): Promise<readonly [number, number, readonly [string, number]][]> {
    const answers = this.#nodes.map(({ server }) => server.command('CLUSTER', 'SLOTS'));
    return (await Promise.any(answers)) as [number, number, readonly [string, number]][];
  }

  async #migrate(slot: string, source: RedisServer, to: RedisServer): Promise<void> {
    const { password } = this.#options;
    const auth = password === undefined ? [] : ['AUTH', password];
    for (;;) {
      const keys = (await source.command('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
      if (keys.length === 0) return;
      const where = ['127.0.0.1', String(to.port), '', '0', '5000'];
      await source.command('MIGRATE', ...where, ...auth, 'KEYS', ...keys);
    }
  }
}

async function infoOf(server: RedisServer): Promise<string> {
  return String(await server.command('CLUSTER', 'INFO'));
}

/** Whether it has slots, or is a replica that follows its primary. */
async function isSettled(server: RedisServer): Promise<boolean> {
  const [role, , , state] = (await server.command('ROLE')) as readonly unknown[];
  return role === 'master' || state === 'connected';
}
