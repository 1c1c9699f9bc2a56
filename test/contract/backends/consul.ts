// Real Consul servers for the contract suite.
import {
  consulVersion,
  requireConsul,
  startConsul,
  type ConsulServer,
} from '../../servers/consul.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { faultsOf, urlsOf } from './case-servers.ts';

const ttlMs = 2000;
const heartbeatMs = 600;
const token = 'right';

/** An agent has no parts that could be used alone: cases that do not hurt their server give it back, emptied. */
class ConsulBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  /** Nobody can tell a released instance from a lost one, so a loss of most is read twice before it is believed. */
  readonly releaseMs = 3000;
  readonly without = {};
  readonly #free: ConsulServer[] = [];
  readonly #started: ConsulServer[] = [];

  version(): Promise<string> {
    return Promise.resolve(consulVersion);
  }

  available(): string | undefined {
    return requireConsul();
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    if (own) {
      const server = await startConsul({ token });
      return registryOf(server, () => server.stop());
    }
    const server = this.#free.pop() ?? (await this.#start());
    return registryOf(server, async () => {
      await server.clear();
      this.#free.push(server);
    });
  }

  async close(): Promise<void> {
    for (const server of this.#started) await server.stop();
  }

  async #start(): Promise<ConsulServer> {
    const server = await startConsul({ token });
    this.#started.push(server);
    return server;
  }
}

function registryOf(server: ConsulServer, close: () => Promise<void>): ContractRegistry {
  const urlAt = (host: string, port: number, secret: string): string =>
    `consul://${secret}@${host}:${port}?ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms&wait=1s`;
  let foreign = 0;
  return {
    ...faultsOf(server),
    ...urlsOf(server, urlAt),
    writeForeignRecord: async (service, text) => {
      foreign++;
      // Consul takes services without a port, and texts of 512 bytes at most.
      await server.call('PUT', '/agent/service/register', {
        ID: `foreign-${foreign}`,
        Name: service,
        Meta: { outrigger: text.slice(0, 512) },
      });
    },
    close,
  };
}

export const consulBackend: ContractBackend = new ConsulBackend();
