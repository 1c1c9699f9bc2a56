// A Snapshot: all instances of a service at one time. The value in which control plane and data plane meet.
import { createHash } from 'node:crypto';
import { formatInstance, type Instance } from './instance.ts';

/**
 * - `unknown`: the registry has never answered for this service; says nothing about its instances.
 * - `live`: the registry confirmed the list and is being followed.
 * - `stale`: the last known list; the registry cannot be asked now.
 */
export type SnapshotState = 'unknown' | 'live' | 'stale';

/** Immutable and shared: nobody may change it. */
export interface Snapshot {
  readonly service: string;
  readonly state: SnapshotState;
  /** Sorted by id; at most one instance an address. */
  readonly instances: readonly Instance[];
  /** Equal for equal lists. */
  readonly hash: string;
  /** Monotonic ms when the registry last confirmed the list; its age is what the agent shows. */
  readonly confirmedAtMs: number;
  /** How many of the instances the registry no longer lists but which are kept for now (mass-loss hold). */
  readonly held: number;
}

export function unknownSnapshot(service: string, nowMs: number): Snapshot {
  return makeSnapshot({ service, state: 'unknown', instances: [], confirmedAtMs: nowMs, held: 0 });
}

/** Sorts, removes older duplicates of an address, hashes and freezes. */
export function makeSnapshot(parts: Omit<Snapshot, 'hash'>): Snapshot {
  const instances = Object.freeze(oneForEachAddress(parts.instances));
  return Object.freeze({ ...parts, instances, hash: hashOf(instances) });
}

function oneForEachAddress(instances: readonly Instance[]): Instance[] {
  const byAddress = new Map<string, Instance>();
  for (const instance of instances) {
    const address = `${instance.host} ${instance.port}`;
    const other = byAddress.get(address);
    if (other === undefined || isNewer(instance, other)) byAddress.set(address, instance);
  }
  return [...byAddress.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function isNewer(a: Instance, b: Instance): boolean {
  const difference = (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0);
  return difference === 0 ? a.id > b.id : difference > 0;
}

function hashOf(instances: readonly Instance[]): string {
  const hash = createHash('sha1');
  for (const instance of instances) hash.update(formatInstance(instance)).update('\n');
  return hash.digest('base64url');
}
