// A real ZooKeeper server for the contract suite, with a tree that only one user may read and write.
import { silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { Session } from '../../../src/registry/drivers/zookeeper/session.ts';
import { parseLocation } from '../../../src/registry/drivers/zookeeper/location.ts';
import type { Link } from '../../../src/registry/drivers/zookeeper/link.ts';
import { requireZooKeeper, startZooKeeper, type ZooKeeperServer } from '../../servers/zookeeper.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { service } from '../world.ts';

const ttlMs = 2000;
const heartbeatMs = 600;

/** Cases that do not hurt the server share one, each with a folder of its own. */
class ZooKeeperBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  readonly #format: string;
  #shared: Promise<ZooKeeperServer> | undefined;
  #opened = 0;

  constructor(format: string) {
    this.#format = format;
  }

  available(): string | undefined {
    return requireZooKeeper();
  }

  async version(): Promise<string> {
    const server = await startZooKeeper();
    try {
      return await server.version();
    } finally {
      await server.stop();
    }
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const path = `/case${this.#opened}`;
    if (!own) this.#shared ??= startZooKeeper();
    const server = own ? await startZooKeeper() : await (this.#shared ?? startZooKeeper());
    return this.#registryOf(server, path, own ? () => server.stop() : async () => undefined);
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }

  async #registryOf(
    server: ZooKeeperServer,
    path: string,
    close: () => Promise<void>,
  ): Promise<ContractRegistry> {
    const urlAt = (host: string, port: number, password = 'right'): string =>
      `zk://agent:${password}@${host}:${port}${path}?format=${this.#format}` +
      `&session=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
    const here = { host: '127.0.0.1', port: server.port };
    const url = urlAt(here.host, here.port);
    // The folders are there before anybody can make them with another password.
    await inSession(url, async ({ nodes }) => {
      await nodes.createFolder(path, { container: false });
      await nodes.createFolder(`${path}/${service}`, { container: false });
    });
    let foreign = 0;
    return {
      url,
      restartEmpty: () => server.restartEmpty(),
      restartWithData: (downMs) => server.restartWithData(downMs),
      pause: async () => server.pause(),
      resume: async () => server.resume(),
      server: { address: here, urlAt: ({ host, port }) => urlAt(host, port) },
      wrongPasswordUrl: urlAt(here.host, here.port, 'wrong'),
      writeForeignRecord: async (watched, text) => {
        foreign++;
        const node = `${path}/${watched}/member_foreign${foreign}`;
        await inSession(url, async ({ nodes }) => {
          await nodes.createFolder(node, { container: false });
          await nodes.write(node, Buffer.from(text));
        });
      },
      close,
    };
  }
}

/** Works on the nodes as some other program would. */
export async function inSession<T>(url: string, work: (link: Link) => Promise<T>): Promise<T> {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const session = new Session(deps, parseLocation(url));
  try {
    return await session.use(work, AbortSignal.timeout(10_000));
  } finally {
    await session.close();
  }
}

export const zooKeeperBackend: ContractBackend = new ZooKeeperBackend('curator');
export const serversetBackend: ContractBackend = new ZooKeeperBackend('serverset');
export const nerveBackend: ContractBackend = new ZooKeeperBackend('nerve');
