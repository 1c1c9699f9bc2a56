// All slices of one service at one resource version, and the list of instances that they make together.
import type { Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import type { Endpoint, Slice } from './slice.ts';

/** Ids of those that left, remembered while a service is followed. */
const departedMax = 1000;

/** Changes with the events of a watch. */
export class Slices {
  readonly #slices = new Map<string, Slice>();
  readonly #departed = new Set<string>();
  #expired = new Set<string>();
  #late: ReadonlySet<string> = new Set();
  resourceVersion: string;

  constructor(slices: readonly Slice[], resourceVersion: string) {
    for (const slice of slices) this.#slices.set(slice.name, slice);
    this.resourceVersion = resourceVersion;
  }

  /** Those whose instances live as long as a lease. */
  get leased(): readonly Slice[] {
    return [...this.#slices.values()].filter(({ leased }) => leased);
  }

  put(slice: Slice): void {
    this.#slices.set(slice.name, slice);
  }

  remove(name: string): void {
    const slice = this.#slices.get(name);
    if (slice === undefined) return;
    this.#slices.delete(name);
    // When it comes back, somebody has just registered.
    this.#expired.delete(name);
    // Its agent deletes it as long as it renews; later anybody does, and that is no departure.
    if (slice.leased && !this.#late.has(name))
      slice.endpoints.forEach(({ instance }) => this.#leave(instance.id));
  }

  /**
   * What a look at the leases has found, by the names of their slices: which are over, and which are `late` or missing.
   * Returns whether that changes the list.
   */
  expire(over: ReadonlySet<string>, late: ReadonlySet<string>): boolean {
    const expired = new Set([...this.#slices.keys()].filter((name) => over.has(name)));
    const before = this.#expiries;
    this.#expired = expired;
    this.#late = late;
    return this.#expiries !== before;
  }

  /** Which leases are over changes without a new resource version. */
  get #expiries(): string {
    return [...this.#expired].sort().join();
  }

  /** An endpoint is for a while in two slices when it moves, and a pod with two addresses always is: each counts once. */
  reading(): Reading {
    const best = new Map<string, Candidate>();
    let malformed = 0;
    for (const slice of this.#slices.values()) {
      malformed += slice.malformed;
      if (this.#expired.has(slice.name)) continue;
      for (const endpoint of slice.endpoints) {
        const candidate = { endpoint, family: slice.family };
        const { id } = endpoint.instance;
        const other = best.get(id);
        if (other === undefined || rank(candidate) < rank(other)) best.set(id, candidate);
      }
    }
    return {
      instances: this.#readyOf(best.values()),
      version: `${this.resourceVersion} ${this.#expiries}`,
      malformed,
      departed: new Set(this.#departed),
    };
  }

  #readyOf(candidates: Iterable<Candidate>): readonly Instance[] {
    const ready: Instance[] = [];
    for (const { endpoint } of candidates) {
      const { instance, state } = endpoint;
      if (state === 'leaving') this.#leave(instance.id);
      if (state !== 'ready') continue;
      ready.push(instance);
      this.#departed.delete(instance.id);
    }
    return ready;
  }

  #leave(id: string): void {
    this.#departed.delete(id);
    this.#departed.add(id);
    const [oldest] = this.#departed;
    if (this.#departed.size > departedMax && oldest !== undefined) this.#departed.delete(oldest);
  }
}

interface Candidate {
  readonly endpoint: Endpoint;
  readonly family: number;
}

const states: readonly Endpoint['state'][] = ['leaving', 'ready', 'unready'];

/** What a pod's end says about it is true of all its addresses; then the one that is ready, then the preferred family. */
function rank({ endpoint, family }: Candidate): number {
  return states.indexOf(endpoint.state) * 10 + family;
}
