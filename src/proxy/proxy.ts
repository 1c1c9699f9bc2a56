// The outbound proxy: its listeners, the carriers behind them, and their end.
import { formatAddress, type Address } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import { FastLane } from './carriers/fast/fast-lane.ts';
import { HttpCarrier } from './carriers/http.ts';
import { TunnelCarrier } from './carriers/tunnel.ts';
import { UpgradeCarrier } from './carriers/upgrade.ts';
import { EndpointPools } from './endpoint-pools.ts';
import { Intake, type ExternalHosts, type Services } from './intake.ts';
import { Listener } from './listener.ts';
import type { ListenPlace } from './listening.ts';
import { Names, type NamesOptions } from './routing/names.ts';
import { httpServer, tcpServer, type Carriers } from './servers.ts';

export interface ProxyDeps {
  readonly services: Services & {
    /** Whether the registry has a service of exactly this name, as far as is known now. */
    knows(service: string): boolean;
  };
  readonly external: ExternalHosts;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ports of this host, beside the proxy's own, that no request may reach: the admin API's. */
  readonly isReservedPort: (port: number) => boolean;
}

export interface ProxyOptions extends NamesOptions {
  readonly listen: Address;
  /** Listeners that belong to one service each. */
  readonly upstreamListeners: readonly UpstreamListener[];
  /** Client connections at once, over all listeners; one more is closed as soon as it comes. */
  readonly connectionsMax: number;
  /** Plain requests are carried by the fast lane; off, all go through the general carrier. */
  readonly fastLane: boolean;
}

interface UpstreamListener {
  readonly service: string;
  readonly protocol: 'http' | 'tcp';
  readonly on: ListenPlace;
}

type Phase = 'new' | 'serving' | 'draining' | 'closed';

export class Proxy implements Component {
  readonly #deps: ProxyDeps;
  readonly #options: ProxyOptions;
  readonly #pools: EndpointPools;
  readonly #carriers: Carriers;
  #listeners: readonly Listener[] = [];
  #phase: Phase = 'new';

  constructor(deps: ProxyDeps, options: ProxyOptions) {
    const { clock, random, logger, services, external } = deps;
    this.#deps = deps;
    this.#options = options;
    const names = new Names({ knows: (service) => services.knows(service) }, options);
    const isDraining = (): boolean => this.#phase === 'draining';
    const intake = new Intake({ names, services, external, clock, logger, isDraining });
    const dialling = { clock, isReservedPort: (port: number) => this.#isReserved(port) };
    this.#pools = new EndpointPools(dialling);
    this.#carriers = {
      http: new HttpCarrier({ intake, pools: this.#pools, clock, random, isDraining }),
      upgrade: new UpgradeCarrier({ ...dialling, intake, random }),
      tunnel: new TunnelCarrier({ ...dialling, intake }),
      fastLane: options.fastLane
        ? new FastLane({ ...dialling, intake, random, isDraining })
        : undefined,
    };
  }

  /** Where the proxy itself listens, with the port that was found for port 0; undefined before the start. */
  get address(): Address | undefined {
    return this.#listeners[0]?.address;
  }

  get isListening(): boolean {
    return this.address !== undefined;
  }

  /** `http://HOST:PORT` of the bound address. Throws before the start. */
  get url(): string {
    if (this.address === undefined) throw new Error('the proxy has not started');
    return `http://${formatAddress(this.address)}`;
  }

  /** The services' own listeners in the order of the options, with the ports that were found. */
  get upstreamAddresses(): readonly (Address | undefined)[] {
    return this.#listeners.slice(1).map(({ address }) => address);
  }

  /** Client connections that are open now, idle ones among them. */
  get connections(): number {
    return this.#listeners.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Fails with a ConfigError when it cannot listen somewhere; then it listens nowhere. */
  async start(): Promise<void> {
    if (this.#phase !== 'new') return;
    this.#phase = 'serving';
    this.#listeners = this.#makeListeners();
    try {
      for (const listener of this.#listeners) await listener.start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Takes no new connections and lets the old ones end: replies say `Connection: close`, WebSocket clients are told to go
   * away (1001). Resolves when all have ended, or at the timeout. Never rejects.
   */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#phase !== 'serving') return;
    this.#phase = 'draining';
    this.#carriers.upgrade.drain();
    this.#carriers.fastLane?.drain();
    const emptied = Promise.all(this.#listeners.map((listener) => listener.drain()));
    const giveUp = new AbortController();
    const late = this.#deps.clock.sleep(timeoutMs, giveUp.signal).then(
      () => {
        const { connections } = this;
        this.#deps.logger.warn({ connections }, 'connections outlast the drain');
      },
      () => undefined,
    );
    await Promise.race([emptied, late]);
    giveUp.abort();
  }

  async close(): Promise<void> {
    this.#phase = 'closed';
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#carriers.fastLane?.close();
    this.#pools.close();
  }

  #makeListeners(): Listener[] {
    const isFull = (): boolean => this.connections >= this.#options.connectionsMax;
    const main = new Listener(httpServer(this.#carriers, undefined), {
      on: { address: this.#options.listen },
      origin: '--listen',
      isFull,
    });
    const others = this.#options.upstreamListeners.map(({ service, protocol, on }) => {
      const isTcp = protocol === 'tcp';
      const server = isTcp
        ? tcpServer(this.#carriers, service)
        : httpServer(this.#carriers, service);
      const origin = `--upstream ${isTcp ? 'tcp:' : ''}${service}`;
      return new Listener(server, { on, origin, isFull });
    });
    return [main, ...others];
  }

  #isReserved(port: number): boolean {
    const own = this.#listeners.some(({ address }) => address?.port === port);
    return own || this.#deps.isReservedPort(port);
  }
}
