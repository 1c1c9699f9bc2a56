// Real Eureka servers for the contract suite.
import {
  eurekaVersion,
  requireEureka,
  startEureka,
  type EurekaServer,
} from '../../servers/eureka.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { urlsOf } from './case-servers.ts';

/** Servers count leases in seconds, and end them when twice the duration that we ask for has passed: even seconds are exact. */
const ttlMs = 4000;
const heartbeatMs = 1200;
const pollMs = 300;
/** A server takes seconds to start and a quarter of a gigabyte, so cases wait for one of a few. */
const serversMax = 3;

/** A registry has no parts that could be used alone: each case has a server for itself, which is emptied after it. */
class EurekaBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly without = {
    restartWithData: 'Eureka keeps everything in memory, so a restarted server is empty',
  };
  readonly #free: EurekaServer[] = [];
  readonly #started: Promise<EurekaServer>[] = [];
  readonly #waiting: ((server: EurekaServer) => void)[] = [];

  version(): Promise<string> {
    return Promise.resolve(eurekaVersion());
  }

  available(): string | undefined {
    return requireEureka();
  }

  async open(): Promise<ContractRegistry> {
    const server = await this.#take();
    return registryOf(server, async () => {
      server.resume();
      await server.clear();
      this.#giveBack(server);
    });
  }

  async close(): Promise<void> {
    for (const server of this.#started) await (await server).stop();
  }

  #take(): Promise<EurekaServer> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#started.length < serversMax) {
      const started = startEureka({ password: 'right' });
      this.#started.push(started);
      return started;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(server: EurekaServer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(server);
    else next(server);
  }
}

function registryOf(server: EurekaServer, close: () => Promise<void>): ContractRegistry {
  const urlAt = (host: string, port: number, password: string): string =>
    `eureka://outrigger:${password}@${host}:${port}/eureka` +
    `?poll=${pollMs}ms&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  let foreign = 0;
  return {
    restartEmpty: async () => {
      await server.end();
      await server.start();
    },
    pause: async () => {
      server.pause();
    },
    resume: async () => {
      server.resume();
    },
    ...urlsOf(server, urlAt),
    // A server takes no entry without its own fields, so the text stands where we would keep our record.
    writeForeignRecord: async (service, text) => {
      foreign++;
      const app = service.toUpperCase();
      await server.call('POST', `/apps/${app}`, {
        instance: {
          instanceId: `foreign${foreign}`,
          app,
          hostName: 'no host',
          ipAddr: 'no address',
          status: 'UP',
          port: { $: 80, '@enabled': 'true' },
          dataCenterInfo: {
            '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
            name: 'MyOwn',
          },
          metadata: { outrigger: text },
        },
      });
    },
    close,
  };
}

export const eurekaBackend: ContractBackend = new EurekaBackend();
