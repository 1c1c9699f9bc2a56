// The Registries of an agent, one or several, as the rest of it sees them: one source of snapshots, one place to register in.
import type { Component } from '../core/component.ts';
import type { Instance } from '../core/instance.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { asRegistryError } from './bounded-driver.ts';
import { combineSnapshots, uniteInstances, type Combination } from './combine.ts';
import type { Capabilities, Reading } from './driver.ts';
import type { SnapshotListener } from './follower.ts';
import type { Lease, LeaseTiming } from './lease.ts';
import type { RegistryHealth } from './registry-health.ts';
import type { Registry } from './registry.ts';

/** A registry and what it is used for. */
export interface RegistryMember {
  readonly registry: Registry;
  /** The local instances are registered in it. */
  readonly registers: boolean;
  /** Its instances are called. */
  readonly discovers: boolean;
}

/** One registry as the admin API shows it. */
export interface MemberHealth extends RegistryHealth {
  readonly url: string;
  readonly registers: boolean;
  readonly discovers: boolean;
}

type Parts = [Snapshot, ...Snapshot[]];

/** Owns its members. With one that discovers, its snapshots pass through as they are. */
export class Registries implements Component {
  readonly #members: readonly RegistryMember[];
  readonly #discovering: readonly Registry[];
  readonly #combination: Combination;

  /** Needs at least one member. */
  constructor(members: readonly RegistryMember[], options: { readonly combination: Combination }) {
    this.#members = members;
    this.#discovering = members
      .filter(({ discovers }) => discovers)
      .map(({ registry }) => registry);
    this.#combination = options.combination;
  }

  /** Resolves at once; whether the registries answer is `health`. */
  async start(): Promise<void> {
    for (const { registry } of this.#members) await registry.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ registry }) => registry.close()));
  }

  get urls(): readonly string[] {
    return this.#members.map(({ registry }) => registry.url);
  }

  /** An instance has one address in all registries: one that is good on other hosts, if any of them is shared with some. */
  get advertise(): Capabilities['advertise'] {
    const all = this.#registering().map(({ capabilities }) => capabilities.advertise);
    return all.every((habit) => habit === 'loopback') ? 'loopback' : 'first-address';
  }

  /** How long after a release other agents may still call an instance, by the slowest registry. */
  get propagationMs(): number {
    return Math.max(
      0,
      ...this.#registering().map(({ capabilities }) => capabilities.propagationMs),
    );
  }

  /** As `Registry.watch`, of the combined snapshots. */
  watch(service: string, onSnapshot: SnapshotListener, signal: AbortSignal): void {
    const [only, second] = this.#discovering;
    if (only !== undefined && second === undefined) {
      only.watch(service, onSnapshot, signal);
      return;
    }
    const latest = new Map<Registry, Snapshot>();
    let before: Snapshot | undefined;
    for (const registry of this.#discovering) {
      const onPart = (part: Snapshot): void => {
        latest.set(registry, part);
        // At first, when each has told what it knows.
        if (latest.size < this.#discovering.length) return;
        const snapshot = combineSnapshots(this.#combination, [...latest.values()] as Parts);
        if (before !== undefined && isSame(before, snapshot)) return;
        before = snapshot;
        onSnapshot(snapshot);
      };
      registry.watch(service, onPart, signal);
    }
  }

  /** The current snapshot of a watched service; undefined for one that nobody watches. */
  snapshot(service: string): Snapshot | undefined {
    const parts = this.#discovering
      .map((registry) => registry.snapshot(service))
      .filter((part) => part !== undefined);
    const [first, ...others] = parts;
    if (first === undefined || others.length === 0) return first;
    return combineSnapshots(this.#combination, [first, ...others]);
  }

  /** Names that any registry knows. Rejects with a RegistryError when none can be asked. */
  async names(signal?: AbortSignal): Promise<readonly string[]> {
    const lists = await this.#askAll((registry) => registry.names(signal));
    return [...new Set(lists.flat())].sort();
  }

  /** What the registries list now, whether or not the service is watched. Rejects when none can be asked. */
  async read(
    service: string,
    signal: AbortSignal,
  ): Promise<Pick<Reading, 'instances' | 'malformed'>> {
    const readings = await this.#askAll((registry) => registry.read(service, signal));
    const lists = readings.map(({ instances }) => instances);
    const first = lists.find((list) => list.length > 0) ?? [];
    return {
      instances: this.#combination === 'union' ? uniteInstances(lists) : first,
      malformed: readings.reduce((sum, { malformed }) => sum + malformed, 0),
    };
  }

  /** A lease in each registry that the agent registers in; none where others do that. */
  leases(
    instance: Instance,
    timingOf: (capabilities: Capabilities) => LeaseTiming,
  ): readonly Lease[] {
    return this.#registering()
      .filter(({ capabilities }) => capabilities.registers)
      .map((registry) => registry.lease(instance, timingOf(registry.capabilities)));
  }

  reportUnreachable(service: string, instanceId: string): void {
    for (const registry of this.#discovering) registry.reportUnreachable(service, instanceId);
  }

  health(): readonly MemberHealth[] {
    return this.#members.map(({ registry, registers, discovers }) => ({
      url: registry.url,
      registers: registers && registry.capabilities.registers,
      discovers,
      ...registry.health(),
    }));
  }

  /** Of the first of those that discover which has any; see `Registry.trouble`. */
  trouble(): string | undefined {
    const troubles = this.#discovering.map((registry) => registry.trouble());
    return troubles.find((trouble) => trouble !== undefined);
  }

  /** Records that are no instances, by followed service. */
  malformed(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { service, malformed } of this.#discovering.flatMap((registry) => registry.views()))
      counts.set(service, (counts.get(service) ?? 0) + malformed);
    return counts;
  }

  #registering(): readonly Registry[] {
    return this.#members.filter(({ registers }) => registers).map(({ registry }) => registry);
  }

  /** The answers of those that can be asked. */
  async #askAll<T>(question: (registry: Registry) => Promise<T>): Promise<readonly T[]> {
    const settled = await Promise.allSettled(this.#discovering.map(question));
    const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failure = settled.find((one) => one.status === 'rejected');
    if (answers.length > 0 || failure === undefined) return answers;
    throw asRegistryError(failure.reason);
  }
}

function isSame(a: Snapshot, b: Snapshot): boolean {
  return a.hash === b.hash && a.state === b.state && a.held === b.held;
}
