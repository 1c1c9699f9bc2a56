// One service as the registry tells it: read, follow, read again; from it comes the service's Snapshot.
import type { Clock, Timer } from '../core/clock.ts';
import type { RegistryError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { between, type Random } from '../core/random.ts';
import { makeSnapshot, unknownSnapshot, type Snapshot } from '../core/snapshot.ts';
import { asRegistryError, type BoundedDriver } from './bounded-driver.ts';
import { Conflater } from './conflater.ts';
import type { FollowSink, Reading } from './driver.ts';
import {
  applyReading,
  dropHeld,
  firstHoldEndMs,
  nothingKnown,
  type Holding,
  type Outage,
} from './hold.ts';
import { Pause } from './pause.ts';
import { retryDelayMs } from './retry.ts';
import type { SnapshotStore } from './snapshot-store.ts';

interface FollowerDeps {
  readonly driver: BoundedDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: SnapshotStore | undefined;
}

interface FollowerOptions {
  readonly service: string;
  /** Mean time between full re-reads while following. */
  readonly resyncMs: () => number;
  /** How long a loss that an outage may explain is held. */
  readonly leaseMs: number;
}

/** Must not throw; gets the whole snapshot each time. */
export type SnapshotListener = (snapshot: Snapshot) => void;

interface Watcher {
  readonly listener: SnapshotListener;
  seen: Snapshot;
}

/** Since when it has been failing, and how often in a row. */
interface Trouble {
  readonly sinceMs: number;
  readonly failures: number;
}

/** Changes within this time become one snapshot: a thousand registrations at once cost a few, not a thousand. */
const conflateMs = 5;
/** The first read after an interruption waits so long: every agent of a fleet saw it at the same moment. */
const debounceMinMs = 20;
const debounceMaxMs = 300;
/** Most outages are restarts: while they may still be one, the list is fresh within about a second of the return. */
const shortOutageMs = 60_000;
const shortOutageCapMs = 1000;
const longOutageCapMs = 5000;
/** Following that held so long works: trouble after it is new trouble. */
const settledMs = 1000;
/** A sudden loss is confirmed by a second read after this time. */
const confirmMinMs = 1000;
const confirmMaxMs = 2000;

/**
 * Runs from `start` to `close`. An error changes the snapshot's state to `stale` and never its list. Listeners are called
 * when the list, the state or the number of held instances changed; a mere confirmation moves `confirmedAtMs` silently.
 */
export class Follower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowerOptions;
  readonly #pause: Pause;
  readonly #conflater: Conflater;
  readonly #watchers = new Set<Watcher>();
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;
  #snapshot: Snapshot;
  #holding: Holding = nothingKnown;
  #version: string | undefined;
  #malformed = 0;
  #outage: Outage = { kind: 'none' };
  #trouble: Trouble | undefined;
  #rereadTimer: Timer | undefined;
  #resyncAtMs = Infinity;
  #following: AbortController | undefined;

  constructor(deps: FollowerDeps, options: FollowerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pause = new Pause(deps.clock);
    this.#snapshot = unknownSnapshot(options.service, deps.clock.nowMs());
    this.#conflater = new Conflater(
      { clock: deps.clock, deliver: (reading) => this.#accept(reading) },
      { windowMs: conflateMs },
    );
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Foreign records in the latest reading that are no instances. */
  get malformed(): number {
    return this.#malformed;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Begins with what the store has, then with the registry; returns at once. */
  start(): void {
    if (this.#loop !== undefined) return;
    this.#seed();
    this.#loop = this.#run(this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  /** Calls the listener on each change from now on, until the returned function is called. */
  watch(listener: SnapshotListener): () => void {
    const watcher = { listener, seen: this.#snapshot };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Connecting to the instance failed: if it is only held, that is proof enough. */
  reportUnreachable(instanceId: string): void {
    const holding = dropHeld(this.#holding, instanceId);
    if (holding === this.#holding) return;
    this.#holding = holding;
    const { service, state, confirmedAtMs } = this.#snapshot;
    this.#publish(this.#snapshotOf({ service, state, confirmedAtMs }));
  }

  #seed(): void {
    const { clock, store } = this.#deps;
    const { service } = this.#options;
    const stored = store?.load(service);
    if (stored === undefined) return;
    const ageMs = Math.max(0, clock.wallMs() - stored.savedAtWallMs);
    this.#holding = { ...nothingKnown, instances: stored.instances };
    const confirmedAtMs = clock.nowMs() - ageMs;
    this.#publish(this.#snapshotOf({ service, state: 'stale', confirmedAtMs }));
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#readAndFollow(signal);
      await this.#pause.for(waitMs, signal);
    }
  }

  /** Never rejects. Returns the time to wait before the next round. */
  async #readAndFollow(signal: AbortSignal): Promise<number> {
    let outage: Outage = { kind: 'away', sinceMs: this.#deps.clock.nowMs() };
    try {
      const reading = await this.#deps.driver.read(this.#options.service, signal);
      this.#accept(reading);
      outage = { kind: 'interrupted' };
      await this.#follow(reading, signal);
      return 0;
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(asRegistryError(error), outage);
    }
  }

  /** Follows until it is time to read again; rejects when changes may have been missed. */
  async #follow(from: Reading, signal: AbortSignal): Promise<void> {
    const { driver, clock, random } = this.#deps;
    const { service, resyncMs } = this.#options;
    const following = new AbortController();
    const end = (): void => following.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    this.#following = following;
    const startedMs = clock.nowMs();
    this.#resyncAtMs = startedMs + between(random, 0.5, 1.5) * resyncMs();
    this.#armReread();
    try {
      await driver.follow(service, from, this.#sinkFor(following.signal), following.signal);
    } finally {
      if (clock.nowMs() - startedMs >= settledMs) this.#trouble = undefined;
      end();
      signal.removeEventListener('abort', end);
      this.#resyncAtMs = Infinity;
      this.#rereadTimer?.cancel();
      this.#conflater.flush();
    }
  }

  #sinkFor(signal: AbortSignal): FollowSink {
    return {
      changed: (reading) => {
        if (!signal.aborted) this.#conflater.offer(reading);
      },
      confirmed: () => {
        if (!signal.aborted) this.#confirm();
      },
    };
  }

  /** Ends the following when a full read is due: regularly, and when a hold has to be looked at again. */
  #armReread(): void {
    this.#rereadTimer?.cancel();
    const atMs = Math.min(this.#resyncAtMs, firstHoldEndMs(this.#holding));
    const { clock } = this.#deps;
    this.#rereadTimer = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#following?.abort();
    });
  }

  #accept(reading: Reading): void {
    if (this.#closing.signal.aborted) return;
    this.#malformed = reading.malformed;
    const same = reading.version === this.#version && reading.reset !== true;
    if (same && this.#holding.held.size === 0 && this.#outage.kind === 'none') {
      this.#confirm();
    } else {
      this.#apply(reading);
    }
    this.#version = reading.version;
    this.#outage = { kind: 'none' };
    this.#deps.store?.save(this.#snapshot);
    if (this.#resyncAtMs < Infinity) this.#armReread();
  }

  #apply(reading: Reading): void {
    const { clock, random, logger } = this.#deps;
    const { service, leaseMs } = this.#options;
    const nowMs = clock.nowMs();
    const confirmMs = between(random, confirmMinMs, confirmMaxMs);
    const before = this.#trustedBefore(nowMs);
    this.#holding = applyReading(before, reading, {
      nowMs,
      outage: this.#outage,
      leaseMs,
      confirmMs,
    });
    const heldBefore = before.held.size;
    this.#publish(this.#snapshotOf({ service, state: 'live', confirmedAtMs: nowMs }));
    const { held, instances } = this.#snapshot;
    if (held > heldBefore) {
      logger.warn({ service, held, instances: instances.length }, 'holding missing instances');
    }
  }

  /**
   * What the first reading is compared with. A stored list that is older than a lease only stands in while the registry
   * does not answer: when it answers at once, nothing of that list is held against it.
   */
  #trustedBefore(nowMs: number): Holding {
    const firstReading = this.#version === undefined;
    const old = nowMs - this.#snapshot.confirmedAtMs > this.#options.leaseMs;
    return firstReading && old && this.#outage.kind === 'none' ? nothingKnown : this.#holding;
  }

  #confirm(): void {
    const confirmedAtMs = this.#deps.clock.nowMs();
    this.#publish(Object.freeze({ ...this.#snapshot, state: 'live', confirmedAtMs }));
  }

  /** Marks the list stale and returns the time to wait before the next read. */
  #failed(error: RegistryError, outage: Outage): number {
    const { clock, random, logger } = this.#deps;
    const { service } = this.#options;
    const nowMs = clock.nowMs();
    const failures = (this.#trouble?.failures ?? 0) + 1;
    const sinceMs = this.#trouble?.sinceMs ?? nowMs;
    this.#trouble = { sinceMs, failures };
    logger.debug({ service, failures, code: error.code, error: error.message }, 'not following');
    // A lost place to follow from is no outage: the registry is there and has its records. One begins with its first failed read.
    if (error.code !== 'registry_compacted' && this.#outage.kind !== 'away') this.#outage = outage;
    if (this.#snapshot.state === 'live') {
      this.#publish(Object.freeze({ ...this.#snapshot, state: 'stale' }));
    }
    if (failures === 1) return between(random, debounceMinMs, debounceMaxMs);
    const capMs = nowMs - sinceMs < shortOutageMs ? shortOutageCapMs : longOutageCapMs;
    return retryDelayMs(failures, error, capMs, random);
  }

  /** A snapshot of what is known; the holding keeps to it, so that both have at most one instance an address. */
  #snapshotOf(parts: Pick<Snapshot, 'service' | 'state' | 'confirmedAtMs'>): Snapshot {
    const { instances, held } = this.#holding;
    const snapshot = makeSnapshot({ ...parts, instances, held: held.size });
    this.#holding = { ...this.#holding, instances: snapshot.instances };
    return snapshot;
  }

  #publish(snapshot: Snapshot): void {
    const before = this.#snapshot;
    this.#snapshot = snapshot;
    const changed =
      snapshot.hash !== before.hash ||
      snapshot.state !== before.state ||
      snapshot.held !== before.held;
    if (!changed) return;
    for (const watcher of [...this.#watchers]) {
      // A listener may have caused a newer snapshot, which every watcher then has already.
      if (this.#watchers.has(watcher) && watcher.seen !== this.#snapshot) this.#call(watcher);
    }
  }

  #call(watcher: Watcher): void {
    watcher.seen = this.#snapshot;
    try {
      watcher.listener(this.#snapshot);
    } catch (error) {
      this.#deps.logger.error({ service: this.#options.service, error }, 'a watcher failed');
    }
  }
}
