import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { makeSnapshot, type Snapshot } from '../../src/core/snapshot.ts';
import { defaultPolicy } from '../../src/upstream/policy.ts';
import { Upstreams } from '../../src/upstream/upstreams.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { instance } from '../support/upstream-fixture.ts';

describe('Upstreams', () => {
  const clock = new FakeClock();
  const watched = new Set<string>();
  let upstreams: Upstreams;
  let names: () => Promise<readonly string[]>;

  function snapshotOf(service: string): Snapshot {
    const instances = service.startsWith('real') ? [instance('a1', { service })] : [];
    return makeSnapshot({ service, state: 'live', instances, confirmedAtMs: 0, held: 0 });
  }

  /** Every service whose name begins with `real` has an instance. */
  beforeEach(() => {
    watched.clear();
    names = () => Promise.resolve([]);
    const source = {
      watch: (service: string, listener: (snapshot: Snapshot) => void, signal: AbortSignal) => {
        watched.add(service);
        signal.addEventListener('abort', () => watched.delete(service));
        listener(snapshotOf(service));
      },
      snapshot: () => undefined,
      names: () => names(),
      reportUnreachable: () => undefined,
      trouble: () => undefined,
    };
    upstreams = new Upstreams(
      {
        source,
        clock,
        random: seededRandom(1),
        logger: silentLogger,
        prober: () => Promise.resolve(undefined),
      },
      { policies: {}, defaultPolicy, upstreamsMax: 5, unknownMax: 2 },
    );
  });

  afterEach(() => {
    upstreams.close();
    assert.equal(clock.pendingTimers, 0);
  });

  function call(...services: string[]): boolean[] {
    return services.map((service) => upstreams.get(service) !== undefined);
  }

  it('reads the names once, however often it is asked meanwhile', async () => {
    let asked = 0;
    let answer: (known: readonly string[]) => void = () => undefined;
    names = () => {
      asked++;
      return new Promise<readonly string[]>((resolve) => (answer = resolve));
    };
    for (let question = 0; question < 100; question++) assert.equal(upstreams.knows('v2.a'), false);
    assert.equal(asked, 1);
    answer(['v2.a']);
    await settle();
    assert.equal(upstreams.knows('v2.a'), true);
    assert.equal(asked, 1);
  });

  it('reads the names anew for services that the registry does not have, however many are called', async () => {
    let known = ['payments'];
    let asked = 0;
    names = () => {
      asked++;
      return Promise.resolve(known);
    };
    call('paymnets', 'paymnets', 'ordres');
    await settle();
    assert.equal(upstreams.nearestTo('paymnets'), 'payments');
    assert.equal(asked, 1);
    known = ['payments', 'orders'];
    call('ordres', 'ordres');
    await clock.advance(2000);
    assert.equal(upstreams.nearestTo('ordres'), 'orders');
    assert.equal(asked, 2);
    call('real1');
    await clock.advance(60_000);
    assert.equal(asked, 2, 'nobody waits for anything else');
  });

  it('finds the nearest name anew when the names have changed', async () => {
    names = () => Promise.resolve(['payments']);
    await upstreams.refreshNames();
    for (let question = 0; question < 2; question++) {
      assert.equal(upstreams.nearestTo('paymens'), 'payments');
    }
    names = () => Promise.resolve(['payment', 'paymens']);
    await upstreams.refreshNames();
    assert.equal(upstreams.nearestTo('paymens'), 'payment');
  });

  it('lets names that mean nothing push out only each other', () => {
    call('real1', 'real2', 'odd1', 'odd2', 'odd3', 'odd4');
    assert.deepEqual([...watched], ['real1', 'real2', 'odd3', 'odd4']);
  });

  it('lets the least recently used leave when there are too many, unknown ones first', () => {
    call('real1', 'real2', 'odd1', 'real3', 'real4', 'real1', 'real5');
    assert.deepEqual([...watched].sort(), ['real1', 'real2', 'real3', 'real4', 'real5']);
    call('real6');
    assert.deepEqual([...watched].sort(), ['real1', 'real3', 'real4', 'real5', 'real6']);
  });

  it('keeps count of the calls of unknown services, whether they are let go or found', () => {
    call('odd1');
    upstreams.get('odd1')?.ended('no_such_service');
    call('odd2', 'odd3');
    assert.equal(upstreams.peek('odd1'), undefined);
    const late = upstreams.get('odd3');
    late?.ended('no_such_service');
    late?.update(snapshotOf('real'));
    late?.ended(200);
    assert.deepEqual([...upstreams.unknownOutcomes.counts], [['no_such_service', 2]]);
    assert.deepEqual([...(late?.counters.outcomes.counts ?? [])], [[200, 1]]);
  });

  it('refuses one more rather than ending one that carries requests', () => {
    for (const service of ['odd1', 'odd2']) {
      const upstream = upstreams.get(service);
      assert.ok(upstream);
      upstream.counters.inFlight++;
    }
    assert.deepEqual(call('odd3', 'odd1'), [false, true]);
  });
});
