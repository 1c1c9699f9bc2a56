// What the Registry asks of a place that keeps the last known instances between restarts of the agent.
import type { Instance } from '../core/instance.ts';
import type { Snapshot } from '../core/snapshot.ts';

export interface StoredSnapshot {
  readonly instances: readonly Instance[];
  /** Wall-clock ms when the list was last known to be right. */
  readonly savedAtWallMs: number;
}

/** Neither method throws or blocks for long: a store that fails is a store that has nothing. */
export interface SnapshotStore {
  load(service: string): StoredSnapshot | undefined;
  /** Called for each complete reading of a live snapshot, changed or not. May write later, and only the latest. */
  save(snapshot: Snapshot): void;
}
