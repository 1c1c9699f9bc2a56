// A real etcd server for the contract suite.
import { etcdVersion, requireEtcd, startEtcd, type EtcdServer } from '../../servers/etcd.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf, urlsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const password = 'right';

/** Cases that do not hurt the server share one, each with a prefix of its own. */
class EtcdBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {};
  readonly #servers = new CaseServers(() => startEtcd({ rootPassword: password }));

  async version(): Promise<string> {
    return etcdVersion();
  }

  available(): string | undefined {
    return requireEtcd();
  }

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    return registryOf(server, `/case${number}`, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
  }
}

function registryOf(
  server: EtcdServer,
  prefix: string,
  close: () => Promise<void>,
): ContractRegistry {
  const urlAt = (host: string, port: number, secret: string): string =>
    `etcd://root:${secret}@${host}:${port}${prefix}?ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    ...faultsOf(server),
    ...urlsOf(server, urlAt),
    writeForeignRecord: async (service, text) => {
      foreign++;
      await server.etcdctl('put', '--', `${prefix}/${service}/foreign${foreign}`, text);
    },
    close,
  };
}

export const etcdBackend: ContractBackend = new EtcdBackend();
