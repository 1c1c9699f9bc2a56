// The registry of a Hydra fleet: the keys in Redis that the npm package `hydra` 1.9 writes and reads.
import type { Instance } from '../../../core/instance.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { type ConnectionDeps, untilAborted } from '../redis/connection.ts';
import { singleServer } from '../redis/single-server.ts';
import { Subscriptions } from '../redis/subscriptions.ts';
import { Commands } from './commands.ts';
import { Fleet } from './fleet.ts';
import { Follower } from './follower.ts';
import { changesChannel } from './keys.ts';
import { parseLocation, type HydraLocation } from './location.ts';
import { look, type LookDeps } from './look.ts';
import { Queries } from './queries.ts';
import { acquireCommands, releaseCommands, renewCommands } from './records.ts';
import { ServiceList } from './service-list.ts';
import { transact, type Command } from './transaction.ts';

/** Opens `hydra+redis:` and `hydra+rediss:` URLs; throws a ConfigError for one that cannot work. Connects at first use. */
export function openHydra(url: string, deps: DriverDeps): Driver {
  const location = parseLocation(url);
  return new HydraDriver({ ...deps, open: singleServer(location) }, location);
}

/** Other agents hear of a release at once, but a Hydra process keeps a list for 3 s; and the way of its requests. */
const propagationMs = 4000;
/** For making a connection, and for an answer. */
const timeoutMs = 2000;
const pollMaxMs = 1000;

class HydraDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: ConnectionDeps;
  readonly #location: HydraLocation;
  readonly #commands: Commands;
  readonly #subscriptions: Subscriptions;
  readonly #look: LookDeps;
  #versions = 0;

  constructor(deps: ConnectionDeps, location: HydraLocation) {
    const { ttlMs, heartbeatMs } = location;
    this.#deps = deps;
    this.#location = location;
    this.#commands = new Commands(deps, { timeoutMs });
    this.#subscriptions = new Subscriptions(deps, { timeoutMs, pingEveryMs: heartbeatMs });
    const queries = new Queries(this.#commands);
    this.#look = {
      clock: deps.clock,
      queries,
      fleet: new Fleet({ queries, clock: deps.clock }),
      leaseMs: ttlMs,
    };
    this.url = location.url;
    this.capabilities = {
      ttlMs,
      heartbeatMs,
      propagationMs,
      advertise: 'first-address',
      registers: true,
    };
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const times = { ttlMs, nowMs: this.#deps.clock.wallMs() };
    await this.#write(acquireCommands(instance, times, this.#location.database), signal);
  }

  async renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const times = { ttlMs, nowMs: this.#deps.clock.wallMs() };
    const [kept] = await this.#write(renewCommands(instance, times), signal);
    return kept === 1 ? 'ok' : 'gone';
  }

  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    await this.#write(releaseCommands(instance, this.#location.database), signal);
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    const list = new ServiceList(service, [], this.#deps.clock.nowMs());
    await look(this.#look, list, 'read', signal);
    return list.reading(this.#nextVersion());
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const follower = new Follower(
      {
        ...this.#look,
        random: this.#deps.random,
        commands: this.#commands,
        subscriptions: this.#subscriptions,
        sink,
        nextVersion: () => this.#nextVersion(),
      },
      {
        service,
        from,
        channel: changesChannel(service, this.#location.database),
        pollMs: Math.min(pollMaxMs, this.#location.heartbeatMs),
      },
    );
    await follower.run(signal);
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const { queries, fleet } = this.#look;
    const { services } = await untilAborted(fleet.read(), signal);
    const places = [...services].flatMap(([service, hydraIds]) =>
      hydraIds.map((hydraId) => ({ service, hydraId })),
    );
    const { present } = await queries.presence(places, signal);
    const names = places.filter((_place, index) => present[index]).map(({ service }) => service);
    return [...new Set(names)].sort();
  }

  async close(): Promise<void> {
    await Promise.all([this.#commands.close(), this.#subscriptions.close()]);
  }

  #write(commands: readonly Command[], signal: AbortSignal): Promise<readonly unknown[]> {
    return this.#commands.use((port) => transact(port, commands), signal);
  }

  #nextVersion(): string {
    this.#versions++;
    return String(this.#versions);
  }
}
