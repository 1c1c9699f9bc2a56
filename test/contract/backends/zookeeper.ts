// A real ZooKeeper server for the contract suite, with a tree that only one user may read and write.
import { silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { Session } from '../../../src/registry/drivers/zookeeper/session.ts';
import { parseLocation } from '../../../src/registry/drivers/zookeeper/location.ts';
import type { Link } from '../../../src/registry/drivers/zookeeper/link.ts';
import { requireZooKeeper, startZooKeeper, type ZooKeeperServer } from '../../servers/zookeeper.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf, urlsOf } from './case-servers.ts';
import { service } from '../world.ts';

const ttlMs = 2000;
const heartbeatMs = 600;

/** Cases that do not hurt the server share one, each with a folder of its own. */
class ZooKeeperBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  readonly #format: string;
  readonly #servers = new CaseServers(startZooKeeper);

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

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    return this.#registryOf(server, `/case${number}`, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
  }

  async #registryOf(
    server: ZooKeeperServer,
    path: string,
    close: () => Promise<void>,
  ): Promise<ContractRegistry> {
    const urlAt = (host: string, port: number, password: string): string =>
      `zk://agent:${password}@${host}:${port}${path}?format=${this.#format}` +
      `&session=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
    const urls = urlsOf(server, urlAt);
    const { url } = urls;
    // The folders are there before anybody can make them with another password.
    await inSession(url, async ({ nodes }) => {
      await nodes.createFolder(path, { container: false });
      await nodes.createFolder(`${path}/${service}`, { container: false });
    });
    let foreign = 0;
    return {
      ...urls,
      ...faultsOf(server),
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
