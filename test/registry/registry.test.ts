// Watching services through the Registry: sharing, conflation, ending; its health and its close.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RegistryError } from '../../src/core/errors.ts';
import type { Registry, RegistryOptions } from '../../src/registry/registry.ts';
import { settle, type FakeClock } from '../support/fake-clock.ts';
import { instanceOf, unreachable, type ScriptedDriver } from '../support/scripted-driver.ts';
import { five, textOf, WatchedRegistry } from '../support/watched-registry.ts';

let clock: FakeClock;
let driver: ScriptedDriver;
let registry: Registry;
let watched: WatchedRegistry;

function build(options: RegistryOptions = {}): void {
  watched = new WatchedRegistry(options);
  ({ clock, driver, registry } = watched);
}

describe('Registry.watch', () => {
  beforeEach(() => build());

  it('calls at once with unknown, then with the list, then with each change', async () => {
    const seen = await watched.live();
    driver.push('payments', five.slice(1));
    await clock.advance(10);
    driver.push('payments', five);
    await settle();
    assert.deepEqual(seen, ['live:bcde', 'live:abcde']);
    assert.equal(watched.current(), 'live:abcde');
  });

  it('tells an empty service from an unknown one', async () => {
    const seen = watched.watch();
    await settle();
    assert.deepEqual(seen, ['unknown:', 'live:']);
  });

  it('tells only the latest of changes in quick succession, the first at once', async () => {
    const seen = await watched.live();
    for (let count = 4; count >= 1; count--) {
      const departed = new Set(five.slice(count).map(({ id }) => id));
      driver.push('payments', five.slice(0, count), { departed });
    }
    assert.deepEqual(seen, ['live:abcd']);
    await clock.advance(10);
    assert.deepEqual(seen, ['live:abcd', 'live:a']);
  });

  it('keeps the departed of all conflated changes', async () => {
    const seen = await watched.live();
    driver.push('payments', five);
    driver.push('payments', five.slice(3), { departed: new Set(['a', 'b', 'c']) });
    driver.push('payments', five.slice(3));
    await clock.advance(10);
    assert.deepEqual(seen, ['live:de']);
  });

  it('stays silent when nothing changed, but knows that it was confirmed', async () => {
    const seen = await watched.live();
    await clock.advance(100);
    driver.push('payments', [...five].reverse());
    await clock.advance(100);
    driver.confirm('payments');
    assert.deepEqual(seen, []);
    assert.equal(registry.snapshot('payments')?.confirmedAtMs, clock.nowMs());
  });

  it('reads again regularly, in case a change was missed', async () => {
    const seen = await watched.live();
    driver.set('payments', five.slice(1));
    await clock.advance(45_001);
    assert.deepEqual(seen, ['live:bcde']);
    assert.equal(driver.followers('payments'), 1);
    await clock.advance(300_000);
    const reads = driver.count('read');
    assert.ok(reads >= 8 && reads <= 24, `${reads} reads`);
  });

  it('reads again no more often for following a thousand services', async () => {
    const { signal } = new AbortController();
    for (let n = 0; n < 1000; n++) registry.watch(`s${n}`, () => undefined, signal);
    await settle();
    const before = driver.count('read');
    assert.equal(before, 1000);
    await clock.advance(200_000);
    const reads = driver.count('read') - before;
    assert.ok(reads >= 1000 && reads <= 3000, `${reads} reads`);
  });

  it('shares one follow among all watchers of a service', async () => {
    const seen = await watched.live();
    const later = watched.watch();
    assert.deepEqual(later, ['live:abcde']);
    driver.push('payments', five.slice(1));
    await settle();
    assert.deepEqual(later, ['live:abcde', 'live:bcde']);
    assert.deepEqual(seen, ['live:bcde']);
    assert.deepEqual([driver.count('read'), driver.count('follow')], [1, 1]);
    assert.deepEqual(registry.views(), [
      { service: 'payments', snapshot: registry.snapshot('payments'), malformed: 0, watchers: 2 },
    ]);
  });

  it('gives every watcher the newest list last, even if one of them causes it', async () => {
    await watched.live();
    const order: string[] = [];
    const { signal } = new AbortController();
    registry.watch(
      'payments',
      ({ held }) => {
        if (held > 0) registry.reportUnreachable('payments', 'a');
      },
      signal,
    );
    registry.watch('payments', (snapshot) => order.push(textOf(snapshot)), signal);
    driver.push('payments', []);
    assert.deepEqual(order, ['live:abcde', 'live:bcde+4']);
  });

  it('is not disturbed by a watcher that throws', async () => {
    const seen = await watched.live();
    const other = watched.watch();
    registry.watch(
      'payments',
      ({ instances }) => {
        if (instances.length < 5) throw new Error('a bad watcher');
      },
      new AbortController().signal,
    );
    driver.push('payments', five.slice(1));
    await clock.advance(10);
    driver.push('payments', five.slice(2));
    assert.deepEqual([seen.at(-1), other.at(-1)], ['live:cde', 'live:cde']);
  });

  it('ends some time after the last watcher left', async () => {
    const first = new AbortController();
    const second = new AbortController();
    const seen = watched.watch(first.signal);
    watched.watch(second.signal);
    await settle();
    first.abort();
    await clock.advance(120_000);
    assert.equal(driver.followers('payments'), 1);
    second.abort();
    await clock.advance(59_000);
    assert.equal(watched.current(), 'live:');
    watched.watch(AbortSignal.abort());
    await clock.advance(1001);
    assert.equal(watched.current(), 'none');
    assert.equal(driver.followers('payments'), 0);
    assert.equal(clock.pendingTimers, 0);
    assert.deepEqual(seen, ['unknown:', 'live:']);
  });

  it('goes on when a watcher comes back in time', async () => {
    const first = new AbortController();
    watched.watch(first.signal);
    await settle();
    first.abort();
    await clock.advance(30_000);
    watched.watch();
    await clock.advance(120_000);
    assert.equal(driver.followers('payments'), 1);
  });

  it('follows only so many services that nobody watches', async () => {
    build({ lingerMax: 2 });
    for (const service of ['a', 'b', 'c', 'd']) {
      const watching = new AbortController();
      registry.watch(service, () => undefined, watching.signal);
      await settle();
      watching.abort();
    }
    const lingering = (): string[] => registry.views().map(({ service }) => service);
    assert.deepEqual(lingering(), ['c', 'd']);
    // One that is watched again is none of them.
    registry.watch('c', () => undefined, new AbortController().signal);
    for (const service of ['e', 'f']) {
      const watching = new AbortController();
      registry.watch(service, () => undefined, watching.signal);
      watching.abort();
    }
    assert.deepEqual(lingering(), ['c', 'e', 'f']);
    await clock.advance(60_000);
    assert.deepEqual(lingering(), ['c']);
  });

  it('counts foreign records and keeps the rest', async () => {
    driver.extra = { malformed: 2 };
    await watched.live();
    assert.equal(registry.views()[0]?.malformed, 2);
  });
});

describe('Registry.health', () => {
  beforeEach(() => build());

  it('is unknown, up, down and up again with the answers', async () => {
    assert.equal(registry.health().state, 'unknown');
    await watched.live();
    assert.equal(registry.health().state, 'up');
    await clock.advance(100);
    driver.breakOff(unreachable, { stayAway: true });
    await settle();
    const { state, sinceMs, lastError } = registry.health();
    assert.deepEqual([state, sinceMs, lastError?.code], ['down', 1100, 'registry_unreachable']);
    driver.failure = undefined;
    await clock.advance(1000);
    assert.equal(registry.health().state, 'up');
    assert.equal(registry.health().lastError?.code, 'registry_unreachable');
  });

  it('is degraded when only writing fails', async () => {
    await watched.live();
    driver.acquire = () => Promise.reject(new RegistryError('registry_unavailable', 'read-only'));
    registry.lease(instanceOf('x'), { ttlMs: 10_000, heartbeatMs: 3000 }).acquire();
    await settle();
    assert.equal(registry.health().state, 'degraded');
  });

  it('forgets failures to read when nothing is read any more', async () => {
    const abort = new AbortController();
    driver.failure = unreachable;
    watched.watch(abort.signal);
    await clock.advance(1000);
    assert.equal(registry.health().state, 'down');
    abort.abort();
    await clock.advance(60_000);
    assert.equal(registry.health().state, 'unknown');
  });

  it('does not count operations that the caller cancelled', async () => {
    driver.hung.add('names');
    const abort = new AbortController();
    const names = registry.names(abort.signal);
    abort.abort();
    await assert.rejects(names, RegistryError);
    assert.equal(registry.health().state, 'unknown');
  });
});

describe('Registry.close', () => {
  beforeEach(() => build());

  it('ends every timer, loop and the driver, and releases no lease', async () => {
    const abort = new AbortController();
    const seen = watched.watch(abort.signal);
    const idle = new AbortController();
    registry.watch('orders', () => undefined, idle.signal);
    const lease = registry.lease(instanceOf('a'), { ttlMs: 10_000, heartbeatMs: 3000 });
    lease.acquire();
    await clock.advance(1000);
    idle.abort();
    driver.push('payments', five);
    await Promise.all([registry.close(), registry.close()]);
    abort.abort();
    assert.equal(clock.pendingTimers, 0);
    assert.equal(driver.closed, true);
    assert.equal(driver.count('release'), 0);
    assert.equal(driver.followers('payments'), 0);
    const before = seen.length;
    driver.push('payments', five.slice(1));
    lease.acquire();
    await clock.advance(60_000);
    assert.equal(seen.length, before);
    assert.equal(clock.pendingTimers, 0);
  });

  it('works in the middle of an outage and of operations that hang', async () => {
    await watched.live();
    driver.hung.add('acquire');
    registry.lease(instanceOf('x'), { ttlMs: 10_000, heartbeatMs: 3000 }).acquire();
    driver.breakOff(unreachable, { stayAway: true });
    await clock.advance(1000);
    await registry.close();
    assert.equal(clock.pendingTimers, 0);
    assert.deepEqual(watched.watch(), ['unknown:']);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('Registry.names', () => {
  it('asks the driver', async () => {
    build();
    driver.set('payments', five);
    assert.deepEqual(await registry.names(), ['payments']);
    driver.failure = unreachable;
    await assert.rejects(registry.names(), { code: 'registry_unreachable' });
  });
});
