// A real etcd server for the contract suite.
import { etcdVersion, requireEtcd, startEtcd, type EtcdServer } from '../../servers/etcd.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the server share one, each with a prefix of its own. */
class EtcdBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  #shared: Promise<EtcdServer> | undefined;
  #opened = 0;

  async version(): Promise<string> {
    return etcdVersion();
  }

  available(): string | undefined {
    return requireEtcd();
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    this.#opened++;
    const prefix = `/case${this.#opened}`;
    if (!own) {
      this.#shared ??= startEtcd({ rootPassword: password });
      return registryOf(await this.#shared, prefix, async () => undefined);
    }
    const server = await startEtcd({ rootPassword: password });
    return registryOf(server, prefix, () => server.stop());
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }
}

function registryOf(
  server: EtcdServer,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret = password): string =>
    `etcd://root:${secret}@${host}:${port}${prefix}?ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
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
      await server.etcdctl('put', '--', `${prefix}/${service}/foreign${foreign}`, text);
    },
    close,
  };
}

export const etcdBackend: ContractBackend = new EtcdBackend();
