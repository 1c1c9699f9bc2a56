// One list of a service's instances from what several registries say of it.
import type { Instance } from '../core/instance.ts';
import { makeSnapshot, type Snapshot, type SnapshotState } from '../core/snapshot.ts';

/**
 * - `union`: the instances of all registries. For a fleet that moves, where each instance may be in either or both.
 * - `first-healthy`: the list of the first registry, in the order given, that answers and has instances; the others stand in
 *   for it.
 */
export type Combination = 'union' | 'first-healthy';

/** The snapshots are of one service, in the order of their registries; there is at least one. */
export function combineSnapshots(
  combination: Combination,
  snapshots: readonly [Snapshot, ...Snapshot[]],
): Snapshot {
  return combination === 'union' ? unionOf(snapshots) : firstOf(snapshots);
}

/** What one process registered in several places is one instance: the first record of each id counts. */
export function uniteInstances(lists: Iterable<readonly Instance[]>): readonly Instance[] {
  const byId = new Map<string, Instance>();
  for (const list of lists) {
    for (const instance of list) {
      if (!byId.has(instance.id)) byId.set(instance.id, instance);
    }
  }
  return [...byId.values()];
}

function unionOf(snapshots: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  const [{ service }] = snapshots;
  const instances = uniteInstances(snapshots.map((one) => one.instances));
  return makeSnapshot({
    service,
    instances,
    state: stateOfUnion(snapshots, instances.length),
    // As old as its oldest part.
    confirmedAtMs: Math.min(...snapshots.map((one) => one.confirmedAtMs)),
    held: snapshots.reduce((sum, { held }) => sum + held, 0),
  });
}

/** Nothing found is no proof of nothing there while one of the registries has never answered. */
function stateOfUnion(snapshots: readonly Snapshot[], instances: number): SnapshotState {
  if (snapshots.every(({ state }) => state === 'live')) return 'live';
  const unknown = snapshots.filter(({ state }) => state === 'unknown').length;
  const nothingToShow = unknown > 0 && instances === 0;
  return nothingToShow || unknown === snapshots.length ? 'unknown' : 'stale';
}

function firstOf(snapshots: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  const has = ({ instances }: Snapshot): boolean => instances.length > 0;
  const best =
    snapshots.find((one) => one.state === 'live' && has(one)) ??
    snapshots.find(has) ??
    snapshots.find(({ state }) => state === 'unknown');
  return best ?? snapshots[0];
}
