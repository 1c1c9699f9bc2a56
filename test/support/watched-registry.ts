// A Registry over a scripted driver and a fake clock, and what watchers of its service `payments` see.
import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts';
import type { SnapshotStore } from '../../src/registry/snapshot-store.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { instanceOf, ScriptedDriver } from './scripted-driver.ts';
import { seededRandom } from './seeded-random.ts';

/** Instances `a` to `e`. */
export const five = ['a', 'b', 'c', 'd', 'e'].map((id) => instanceOf(id));

export class WatchedRegistry {
  readonly clock = new FakeClock();
  readonly driver = new ScriptedDriver();
  readonly registry: Registry;

  constructor(options: RegistryOptions = {}, store?: SnapshotStore, random = seededRandom(1)) {
    const { clock, driver } = this;
    const deps = { driver, clock, random, logger: silentLogger };
    this.registry = new Registry({ ...deps, ...(store && { store }) }, options);
  }

  /** The texts of all snapshots that a watcher gets, from now on. */
  watch(signal = new AbortController().signal): string[] {
    const seen: string[] = [];
    this.registry.watch('payments', (snapshot) => seen.push(textOf(snapshot)), signal);
    return seen;
  }

  /** The text of the current snapshot, or `none`. */
  current(): string {
    const snapshot = this.registry.snapshot('payments');
    return snapshot === undefined ? 'none' : textOf(snapshot);
  }

  /** Watches a service of five instances; the texts begin after the first live snapshot. */
  async live(): Promise<string[]> {
    this.driver.set('payments', five);
    const seen = this.watch();
    await settle();
    assert.deepEqual(seen.splice(0), ['unknown:', 'live:abcde']);
    return seen;
  }
}

/** `state:ids`, and `+n` when n of them are held. */
export function textOf({ state, instances, held }: Snapshot): string {
  const ids = instances.map(({ id }) => id).join('');
  return `${state}:${ids}${held === 0 ? '' : `+${held}`}`;
}
