// What one service's follower makes of failures, losses and stored lists.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { Random } from '../../src/core/random.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { SnapshotStore, StoredSnapshot } from '../../src/registry/snapshot-store.ts';
import { settle, type FakeClock } from '../support/fake-clock.ts';
import { unreachable, type ScriptedDriver } from '../support/scripted-driver.ts';
import { five, textOf, WatchedRegistry } from '../support/watched-registry.ts';

let clock: FakeClock;
let driver: ScriptedDriver;
let registry: Registry;
let watched: WatchedRegistry;

function build(store?: SnapshotStore, random?: Random): void {
  watched = new WatchedRegistry({}, store, random);
  ({ clock, driver, registry } = watched);
}

describe('a registry that fails', () => {
  beforeEach(() => build());

  it('makes the list stale, never empty, and comes back by itself', async () => {
    const seen = await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(50_000);
    assert.deepEqual(seen, ['stale:abcde']);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.deepEqual(seen, ['stale:abcde', 'live:abcde']);
  });

  it('stays unknown when it never answered', async () => {
    driver.failure = unreachable;
    const seen = watched.watch();
    await clock.advance(5000);
    assert.deepEqual(seen, ['unknown:']);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.deepEqual(seen, ['unknown:', 'live:']);
  });

  it('is asked about twice a second at first and less in a long outage', async () => {
    await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(60_000);
    const short = driver.count('read');
    assert.ok(short >= 60 && short <= 240, `${short} in the first minute`);
    await clock.advance(60_000);
    const long = driver.count('read') - short;
    assert.ok(long >= 12 && long <= 50, `${long} in a later minute`);
  });

  it('is read again after a pause at the least when only the following broke', async () => {
    build(undefined, () => 0);
    await watched.live();
    driver.breakOff(unreachable);
    await clock.advance(19);
    assert.equal(driver.count('read'), 1);
    await clock.advance(1);
    assert.equal(driver.count('read'), 2);
  });

  it('is read again soon after a new interruption, however long an earlier outage was', async () => {
    await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(600_000);
    driver.failure = undefined;
    await clock.advance(10_000);
    for (let interruption = 1; interruption <= 5; interruption++) {
      driver.breakOff(unreachable);
      await clock.advance(300);
      assert.equal(watched.current(), 'live:abcde');
      await clock.advance(1000);
    }
  });

  it('is read again after a random pause when only the following broke', async () => {
    await watched.live();
    driver.breakOff(unreachable);
    await clock.advance(19);
    assert.equal(driver.count('read'), 1);
    assert.equal(watched.current(), 'stale:abcde');
    await clock.advance(281);
    assert.equal(driver.count('read'), 2);
    assert.equal(watched.current(), 'live:abcde');
  });

  it('is not asked in a tight loop when it answers but cannot be followed', async () => {
    driver.set('payments', five);
    driver.follow = () => Promise.reject(unreachable);
    watched.watch();
    await clock.advance(60_000);
    assert.ok(driver.count('read') < 300, `${driver.count('read')} reads`);
    driver.set('payments', five.slice(1));
    await clock.advance(60_000);
    assert.match(watched.current(), /:bcde$/);
  });

  it('counts as failing when the driver stops following by itself', async () => {
    await watched.live();
    driver.follow = () => Promise.resolve();
    driver.breakOff(unreachable);
    await clock.advance(1000);
    assert.equal(registry.health().lastError?.code, 'registry_invalid');
  });

  it('is given up on when it hangs, even if the driver ignores its signal', async () => {
    driver.hung.add('read');
    watched.watch();
    await clock.advance(2000);
    assert.equal(registry.health().lastError?.code, 'registry_timeout');
    driver.hung.clear();
    await clock.advance(500);
    assert.equal(watched.current(), 'live:');
  });

  it('does not keep a follow that ignores its signal from being replaced', async () => {
    await watched.live();
    driver.hung.add('follow');
    driver.set('payments', five.slice(1));
    await clock.advance(45_000 + 2001);
    assert.equal(watched.current(), 'live:bcde');
    assert.equal(driver.count('follow'), 2);
  });
});

describe('a loss of instances', () => {
  beforeEach(() => build());

  it('of more than half is held until a second read confirms it', async () => {
    const seen = await watched.live();
    driver.push('payments', []);
    assert.deepEqual(seen, ['live:abcde+5']);
    await clock.advance(999);
    assert.equal(driver.count('read'), 1);
    await clock.advance(1010);
    assert.equal(driver.count('read'), 2);
    assert.deepEqual(seen, ['live:abcde+5', 'live:']);
  });

  it('is undone when the second read lists them again', async () => {
    const seen = await watched.live();
    driver.push('payments', []);
    driver.set('payments', five);
    await clock.advance(2010);
    assert.deepEqual(seen, ['live:abcde+5', 'live:abcde']);
  });

  it('is believed for each instance that cannot be connected to', async () => {
    const seen = await watched.live();
    driver.push('payments', five.slice(4));
    registry.reportUnreachable('payments', 'b');
    registry.reportUnreachable('payments', 'e');
    registry.reportUnreachable('orders', 'e');
    assert.deepEqual(seen, ['live:abcde+4', 'live:acde+3']);
  });

  it('after an outage is held for a lease time, while instances come back one by one', async () => {
    const seen = await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(30_000);
    driver.set('payments', []);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(watched.current(), 'live:abcde+5');
    driver.push('payments', five.slice(0, 3));
    await clock.advance(10);
    assert.equal(watched.current(), 'live:abcde+2');
    await clock.advance(12_000);
    assert.equal(watched.current(), 'live:abcde+2');
    await clock.advance(2010);
    assert.equal(watched.current(), 'live:abc');
    assert.ok(!seen.some((line) => line.endsWith(':')));
  });

  it('is believed in the end by a registry that fails every few seconds, but not while it is away', async () => {
    await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    driver.set('payments', five.slice(1));
    const flap = async (): Promise<void> => {
      driver.failure = undefined;
      await clock.advance(4000);
      driver.breakOff(unreachable, { stayAway: true });
      await clock.advance(20_000);
    };
    await clock.advance(20_000);
    // A lease time is 14 s; it is there for 4 s at most each time.
    for (let flaps = 0; flaps < 3; flaps++) {
      await flap();
      assert.equal(watched.current(), 'stale:abcde+1');
    }
    for (let flaps = 0; flaps < 3; flaps++) await flap();
    assert.equal(watched.current(), 'stale:bcde');
  });

  it('after an outage is held for a lease time also when the record ends only then', async () => {
    await watched.live();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(5000);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(watched.current(), 'live:abcde');
    driver.push('payments', five.slice(1));
    await clock.advance(10);
    assert.equal(watched.current(), 'live:abcde+1');
    await clock.advance(14_000);
    assert.equal(watched.current(), 'live:bcde');
  });

  it('is held when the backend says that it was emptied', async () => {
    await watched.live();
    driver.push('payments', [], { reset: true });
    await clock.advance(13_000);
    assert.equal(watched.current(), 'live:abcde+5');
    await clock.advance(1010);
    assert.equal(watched.current(), 'live:');
  });

  it('is believed at once when only the place to follow from was lost', async () => {
    await watched.live();
    driver.set('payments', five.slice(1));
    driver.breakOff(new RegistryError('registry_compacted', 'compacted'));
    await settle();
    assert.equal(watched.current(), 'stale:abcde');
    assert.equal(registry.health().state, 'up');
    await clock.advance(300);
    assert.equal(watched.current(), 'live:bcde');
  });
});

describe('a stored list', () => {
  let stored: StoredSnapshot | undefined;
  let saved: Snapshot[];
  const store: SnapshotStore = {
    load: () => stored,
    save: (snapshot) => void saved.push(snapshot),
  };

  beforeEach(() => {
    build(store);
    saved = [];
    stored = { instances: five, savedAtWallMs: clock.wallMs() - 60_000 };
  });

  it('is shown as stale with its age while the registry is away', async () => {
    driver.failure = unreachable;
    const seen = watched.watch();
    assert.deepEqual(seen, ['stale:abcde']);
    assert.equal(registry.snapshot('payments')?.confirmedAtMs, clock.nowMs() - 60_000);
    await clock.advance(60_000);
    assert.deepEqual(seen, ['stale:abcde']);
    assert.deepEqual(saved, []);
  });

  it('outlives a registry that comes back empty for a lease time', async () => {
    driver.failure = unreachable;
    watched.watch();
    await clock.advance(1000);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(watched.current(), 'live:abcde+5');
    await clock.advance(14_010);
    assert.equal(watched.current(), 'live:');
  });

  it('is replaced at once by a registry that answers at once', async () => {
    driver.set('payments', five.slice(3));
    const seen = watched.watch();
    await settle();
    assert.deepEqual(seen, ['stale:abcde', 'live:de']);
  });

  it('has no negative age when the wall clock went back', () => {
    stored = { instances: five, savedAtWallMs: clock.wallMs() + 60_000 };
    watched.watch();
    assert.equal(registry.snapshot('payments')?.confirmedAtMs, clock.nowMs());
  });

  it('is saved with each reading', async () => {
    driver.set('payments', five.slice(3));
    watched.watch();
    await settle();
    driver.push('payments', five);
    await settle();
    assert.deepEqual(saved.map(textOf), ['live:de', 'live:abcde']);
    await clock.advance(45_001);
    assert.ok(saved.length >= 3);
  });
});
