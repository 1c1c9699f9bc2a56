// The Upstreams in use, by service name: made at the first call, fed by the registry, let go when unused.
import type { Timer } from '../core/clock.ts';
import { nearest } from '../core/service-name.ts';
import { unknownSnapshot, type Snapshot } from '../core/snapshot.ts';
import { Outcomes } from './outcomes.ts';
import type { UpstreamPolicy } from './policy.ts';
import { Upstream, type CallingDeps } from './upstream.ts';

/** What the upstreams need of a registry. */
export interface SnapshotSource {
  /** Calls at once with the current snapshot and again on each change, until the signal aborts. */
  watch(service: string, onSnapshot: (snapshot: Snapshot) => void, signal: AbortSignal): void;
  /** The current snapshot of a watched service. */
  snapshot(service: string): Snapshot | undefined;
  names(signal?: AbortSignal): Promise<readonly string[]>;
  reportUnreachable(service: string, instanceId: string): void;
  /** Why the registry cannot be asked, fit to be told to any client; undefined when it can. */
  trouble(): string | undefined;
}

export interface UpstreamsDeps extends CallingDeps {
  readonly source: SnapshotSource;
}

export interface UpstreamsOptions {
  readonly policies: Readonly<Record<string, UpstreamPolicy>>;
  readonly defaultPolicy: UpstreamPolicy;
  /** Services in use at once; a call to one more makes the least recently used idle one leave. */
  readonly upstreamsMax?: number;
  /** How many of these the registry has never named: misspelt, invented, or not there yet. Default 128. */
  readonly unknownMax?: number;
  /** How often the list of all service names is read while calls depend on it. */
  readonly namesRefreshMs?: number;
}

interface Entry {
  readonly upstream: Upstream;
  readonly watching: AbortController;
  /** The number of the use that was the last so far. */
  lastUse: number;
}

/** Misspelt names whose nearest one is remembered. */
const nearestMax = 1000;

export class Upstreams {
  readonly #deps: UpstreamsDeps;
  readonly #options: Required<UpstreamsOptions>;
  readonly #entries = new Map<string, Entry>();
  /** Of requests for services that the registry had not named when they ended. */
  readonly unknownOutcomes = new Outcomes();
  #uses = 0;
  readonly #closing = new AbortController();
  #names: ReadonlySet<string> = new Set();
  /** What was found for names that are not among these. */
  readonly #nearest = new Map<string, string | undefined>();
  #namesTimer: Timer | undefined;
  #namesReading: Promise<void> | undefined;
  #namesAsked = false;

  constructor(deps: UpstreamsDeps, options: UpstreamsOptions) {
    this.#deps = deps;
    this.#options = { upstreamsMax: 1000, unknownMax: 128, namesRefreshMs: 2000, ...options };
  }

  /** The service's upstream, made and watched from now on if it was not in use. Undefined when too many are. */
  get(service: string): Upstream | undefined {
    let entry = this.#entries.get(service);
    if (entry === undefined) {
      entry = this.#open(service);
      if (entry === undefined) return undefined;
      this.#entries.set(service, entry);
    }
    entry.lastUse = ++this.#uses;
    this.#refreshFor(entry.upstream);
    return entry.upstream;
  }

  /** The upstream if it is in use. */
  peek(service: string): Upstream | undefined {
    return this.#entries.get(service)?.upstream;
  }

  all(): readonly Upstream[] {
    return [...this.#entries.values()].map(({ upstream }) => upstream);
  }

  /**
   * Whether the registry has a service of exactly this name, as far as is known now. Being asked keeps the list of names
   * fresh from then on.
   */
  knows(service: string): boolean {
    this.#wantNames();
    return this.peek(service)?.known === true || this.#names.has(service);
  }

  /** The known name that is nearest to a misspelt one; looked for once while the names stay as they are. */
  nearestTo(service: string): string | undefined {
    if (this.#nearest.has(service)) return this.#nearest.get(service);
    const others = [...this.#names].filter((name) => name !== service);
    const near = nearest(service, others);
    // Clients can call any name.
    if (this.#nearest.size === nearestMax) this.#nearest.clear();
    this.#nearest.set(service, near);
    return near;
  }

  /** As `SnapshotSource.trouble`. */
  trouble(): string | undefined {
    return this.#deps.source.trouble();
  }

  /** Reads the list of names; joins a reading that is under way. Never rejects: on an error the old list stays. */
  refreshNames(): Promise<void> {
    this.#namesReading ??= this.#readNames().finally(() => (this.#namesReading = undefined));
    return this.#namesReading;
  }

  /** A call waits for a service that the registry does not have: when it is misspelt, the names tell what was meant. */
  #refreshFor(upstream: Upstream): void {
    if (!upstream.known && upstream.snapshot.state === 'live') this.#wantNames();
  }

  /** Reads the names now, or as soon as the latest reading is old enough. */
  #wantNames(): void {
    this.#namesAsked = true;
    if (this.#namesTimer === undefined) void this.refreshNames();
  }

  async #readNames(): Promise<void> {
    this.#namesTimer?.cancel();
    this.#namesTimer = undefined;
    try {
      this.#names = new Set(await this.#deps.source.names(this.#closing.signal));
      this.#nearest.clear();
    } catch (error) {
      this.#deps.logger.debug({ error }, 'service names could not be read');
    }
    if (this.#closing.signal.aborted) return;
    this.#namesTimer = this.#deps.clock.after(this.#options.namesRefreshMs, () => {
      this.#namesTimer = undefined;
      if (!this.#namesAsked) return;
      this.#namesAsked = false;
      void this.refreshNames();
    });
  }

  close(): void {
    this.#closing.abort();
    this.#namesTimer?.cancel();
    for (const service of [...this.#entries.keys()]) this.#shut(service);
  }

  #open(service: string): Entry | undefined {
    if (this.#closing.signal.aborted || !this.#makeRoom()) return undefined;
    const { source, ...deps } = this.#deps;
    const { unknownOutcomes } = this;
    const registry = {
      latest: source.snapshot.bind(source),
      reportUnreachable: source.reportUnreachable.bind(source),
    };
    const policy = this.#options.policies[service] ?? this.#options.defaultPolicy;
    const first = unknownSnapshot(service, deps.clock.nowMs());
    const upstream = new Upstream({ ...deps, ...registry, unknownOutcomes }, policy, first);
    const watching = new AbortController();
    const onSnapshot = (snapshot: Snapshot): void => {
      upstream.update(snapshot);
      this.#refreshFor(upstream);
    };
    source.watch(service, onSnapshot, watching.signal);
    return { upstream, watching, lastUse: 0 };
  }

  /** Whoever calls names at random must neither fill the memory nor push out the services that exist. */
  #makeRoom(): boolean {
    const { upstreamsMax, unknownMax } = this.#options;
    const all = [...this.#entries.values()];
    const unknown = all.filter(({ upstream }) => !upstream.known);
    if (unknown.length >= unknownMax) return this.#shutIdle(unknown);
    if (this.#entries.size < upstreamsMax) return true;
    return this.#shutIdle(unknown) || this.#shutIdle(all);
  }

  /** The one whose last use is longest ago. */
  #shutIdle(entries: readonly Entry[]): boolean {
    const idle = entries.filter(({ upstream }) => upstream.counters.inFlight === 0);
    const [first, ...others] = idle;
    if (first === undefined) return false;
    const oldest = others.reduce((a, b) => (b.lastUse < a.lastUse ? b : a), first);
    this.#shut(oldest.upstream.service);
    return true;
  }

  #shut(service: string): void {
    const entry = this.#entries.get(service);
    if (entry === undefined) return;
    this.#entries.delete(service);
    entry.watching.abort();
    entry.upstream.close();
  }
}
