// The Registry: all that the agent knows of the services, and its way to be known itself.
import type { Clock, Timer } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { withEither } from '../core/either-signal.ts';
import type { Instance } from '../core/instance.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import { unknownSnapshot, type Snapshot } from '../core/snapshot.ts';
import { BoundedDriver } from './bounded-driver.ts';
import type { Capabilities, Driver, Reading } from './driver.ts';
import { Follower, type SnapshotListener } from './follower.ts';
import { Lease, type LeaseTiming } from './lease.ts';
import { HealthRecord, publicTextOf, type RegistryHealth } from './registry-health.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { TokenBucket } from './token-bucket.ts';

interface RegistryDeps {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Last known instances of an earlier run. */
  readonly store?: SnapshotStore;
}

export interface RegistryOptions {
  /** Every operation of the driver is given up after this time; a lease's also after a third of its TTL. Default 2 s. */
  readonly operationTimeoutMs?: number;
  /**
   * A followed service is read anew after this time ± 50 %, in case a change was missed; later when many are followed. Default
   * 30 s.
   */
  readonly resyncMs?: number;
  /**
   * How long a loss that an outage may explain is held; by default one lease: the driver's TTL and heartbeat, and 1 s for
   * the way. More protects agents with longer leases, less forgets dead instances sooner.
   */
  readonly holdMs?: number;
  /** A service is followed for this time after its last watcher left, as it may be called again soon. Default 60 s. */
  readonly lingerMs?: number;
  /** So many are followed without a watcher at once; one more, and the first of them ends. Default 64. */
  readonly lingerMax?: number;
}

/** A followed service as the admin API shows it. */
export interface WatchView {
  readonly service: string;
  readonly snapshot: Snapshot;
  /** Records in the registry that are no instances. */
  readonly malformed: number;
  readonly watchers: number;
}

interface Followed {
  readonly follower: Follower;
  /** Runs while nobody watches. */
  linger: Timer | undefined;
}

/** Mean time between two reads of followed services, however many there are: reading anew must not become work of its own. */
const resyncSpacingMs = 100;

/** Owns the driver, the followers and the leases. Closing it releases no lease: records then end with their TTL. */
export class Registry implements Component {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: RegistryDeps;
  readonly #options: Required<RegistryOptions>;
  readonly #driver: BoundedDriver;
  readonly #health: HealthRecord;
  readonly #bucket = new TokenBucket({ tokensPerSecond: 1, burst: 3 });
  readonly #followed = new Map<string, Followed>();
  /** Those that nobody watches, in the order in which their last watcher left. */
  readonly #lingering = new Map<string, Followed>();
  readonly #leases = new Set<Lease>();
  /** Of followers that nobody watches any more. */
  readonly #endings = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(deps: RegistryDeps, options: RegistryOptions = {}) {
    const { ttlMs, heartbeatMs } = deps.driver.capabilities;
    this.url = deps.driver.url;
    this.capabilities = deps.driver.capabilities;
    this.#deps = deps;
    this.#options = {
      operationTimeoutMs: options.operationTimeoutMs ?? 2000,
      resyncMs: options.resyncMs ?? 30_000,
      holdMs: options.holdMs ?? ttlMs + heartbeatMs + 1000,
      lingerMs: options.lingerMs ?? 60_000,
      lingerMax: options.lingerMax ?? 64,
    };
    this.#health = new HealthRecord(deps);
    this.#driver = new BoundedDriver({ ...deps, health: this.#health }, this.#options);
  }

  /** Resolves at once: the registry is contacted at first use, and whether it answers is `health`. */
  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends every loop, operation and timer, then the driver. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /**
   * Calls at once with the current snapshot, `unknown` if the registry has never answered for the service, and again on
   * each change of list or state, until the signal aborts. An error never empties the list. The callback must not throw.
   */
  watch(service: string, onSnapshot: SnapshotListener, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (this.#closing.signal.aborted) {
      onSnapshot(unknownSnapshot(service, this.#deps.clock.nowMs()));
      return;
    }
    const followed = this.#followed.get(service) ?? this.#follow(service);
    followed.linger?.cancel();
    followed.linger = undefined;
    this.#lingering.delete(service);
    const leave = followed.follower.watch(onSnapshot);
    const onAbort = (): void => {
      leave();
      if (followed.follower.watchers === 0) this.#lingerOn(service, followed);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    onSnapshot(followed.follower.snapshot);
  }

  /** The current snapshot of a watched service; undefined for one that nobody watches. */
  snapshot(service: string): Snapshot | undefined {
    return this.#followed.get(service)?.follower.snapshot;
  }

  /** Names of all services that have instances; asks the registry and rejects with its RegistryError. */
  names(signal?: AbortSignal): Promise<readonly string[]> {
    const closing = this.#closing.signal;
    if (signal === undefined) return this.#driver.names(closing);
    return withEither(signal, closing, (either) => this.#driver.names(either));
  }

  /** Asks the registry for a service's list now, whether or not it is watched; rejects with its RegistryError. */
  read(service: string, signal: AbortSignal): Promise<Reading> {
    const closing = this.#closing.signal;
    return withEither(signal, closing, (either) => this.#driver.read(service, either));
  }

  /** A lease that is not acquired yet. One for each local instance: it lives as long as the registry. */
  lease(instance: Instance, timing: LeaseTiming): Lease {
    const { clock, random, logger } = this.#deps;
    const lease = new Lease(
      {
        driver: this.#driver,
        bucket: this.#bucket,
        clock,
        random,
        logger: logger.child({ service: instance.service, instance: instance.id }),
      },
      instance,
      timing,
    );
    this.#leases.add(lease);
    return lease;
  }

  /** The data plane could not connect to an instance; one that is only held is then dropped. */
  reportUnreachable(service: string, instanceId: string): void {
    this.#followed.get(service)?.follower.reportUnreachable(instanceId);
  }

  health(): RegistryHealth {
    return this.#health.current;
  }

  /** Why the registry cannot be used now, fit to be told to any client; undefined when it can. */
  trouble(): string | undefined {
    const { state, lastError } = this.health();
    const isFailing = state === 'down' || state === 'degraded';
    return isFailing && lastError !== undefined ? publicTextOf(lastError) : undefined;
  }

  views(): readonly WatchView[] {
    return [...this.#followed].map(([service, { follower }]) => ({
      service,
      snapshot: follower.snapshot,
      malformed: follower.malformed,
      watchers: follower.watchers,
    }));
  }

  #follow(service: string): Followed {
    const { clock, random, logger, store } = this.#deps;
    const { resyncMs, holdMs } = this.#options;
    const follower = new Follower(
      { driver: this.#driver, clock, random, logger, store },
      {
        service,
        leaseMs: holdMs,
        resyncMs: () => Math.max(resyncMs, this.#followed.size * resyncSpacingMs),
      },
    );
    const followed: Followed = { follower, linger: undefined };
    this.#followed.set(service, followed);
    follower.start();
    return followed;
  }

  #lingerOn(service: string, followed: Followed): void {
    if (this.#closing.signal.aborted) return;
    followed.linger?.cancel();
    followed.linger = this.#deps.clock.after(this.#options.lingerMs, () => {
      this.#unfollow(service, followed);
    });
    this.#lingering.set(service, followed);
    const [first] = this.#lingering;
    if (first !== undefined && this.#lingering.size > this.#options.lingerMax)
      this.#unfollow(...first);
  }

  #unfollow(service: string, { follower, linger }: Followed): void {
    linger?.cancel();
    this.#lingering.delete(service);
    this.#followed.delete(service);
    if (this.#followed.size === 0) this.#health.forget('read');
    const ending = follower.close().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const endings = [...this.#endings];
    for (const lease of this.#leases) endings.push(lease.close());
    for (const { follower, linger } of this.#followed.values()) {
      linger?.cancel();
      endings.push(follower.close());
    }
    this.#followed.clear();
    await Promise.all(endings);
    await this.#deps.driver.close();
  }
}
