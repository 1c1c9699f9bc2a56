import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DnsCallees } from '../../src/agent/dns-callees.ts';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { makeSnapshot, type Snapshot, type SnapshotState } from '../../src/core/snapshot.ts';
import { defaultPolicy } from '../../src/upstream/policy.ts';
import { Upstreams } from '../../src/upstream/upstreams.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { instance } from '../support/upstream-fixture.ts';

const never = new AbortController().signal;

class World {
  readonly listeners = new Map<string, (snapshot: Snapshot) => void>();
  readonly upstreams: Upstreams;
  readonly callees: DnsCallees;

  constructor(names: readonly string[] = []) {
    this.upstreams = new Upstreams(
      {
        source: {
          watch: (service, listener) => void this.listeners.set(service, listener),
          snapshot: () => undefined,
          names: () => Promise.resolve(names),
          reportUnreachable: () => undefined,
          trouble: () => undefined,
        },
        clock: new FakeClock(),
        random: seededRandom(1),
        logger: silentLogger,
        prober: () => Promise.resolve('refused'),
      },
      { policies: {}, defaultPolicy },
    );
    this.callees = new DnsCallees(this.upstreams);
  }

  say(service: string, instances: readonly Instance[], state: SnapshotState = 'live'): void {
    const snapshot = makeSnapshot({ service, state, instances, confirmedAtMs: 0, held: 0 });
    this.listeners.get(service)?.(snapshot);
  }

  /** Ports, or why there are none. */
  async ask(name: string, tag?: string, signal = never): Promise<string> {
    const answer = await this.callees.callees(name, tag, signal);
    return typeof answer === 'string' ? answer : answer.map(({ port }) => port).join();
  }

  eject(service: string, id: string): void {
    const upstream = this.upstreams.get(service);
    for (const endpoint of upstream?.endpoints ?? []) {
      if (endpoint.instance.id === id) upstream?.unreachable(endpoint, 'refused');
    }
  }
}

/** A world where the service was asked for, and these are its instances. */
async function worldWith(...instances: readonly Instance[]): Promise<World> {
  const world = new World();
  const asking = world.ask('payments');
  world.say('payments', instances);
  await asking;
  return world;
}

describe('DnsCallees', () => {
  it('waits for the first answer about a service, as long as it may', async () => {
    const world = new World();
    const asking = world.ask('payments');
    world.say('payments', [instance('a1')]);
    assert.equal(await asking, '1001');
    assert.equal(await world.ask('orders', undefined, AbortSignal.abort()), 'unanswered');
  });

  it('tells a service that is not there from one without instances', async () => {
    const world = await worldWith(instance('a1'));
    world.say('payments', []);
    assert.equal(await world.ask('payments'), '');
    const asking = world.ask('nobody');
    world.say('nobody', []);
    assert.equal(await asking, 'unknown');
    assert.equal(await world.ask('no service'), 'unknown');
  });

  it('names the last known instances while the registry is away', async () => {
    const world = await worldWith(instance('a1'));
    world.say('payments', [instance('a1')], 'stale');
    assert.equal(await world.ask('payments'), '1001');
  });

  it('leaves out ejected instances, unless no other has the tag', async () => {
    const world = await worldWith(instance('a1', { tags: ['v2'] }), instance('a2'));
    world.eject('payments', 'a1');
    assert.equal(await world.ask('payments'), '1002');
    assert.equal(await world.ask('payments', 'v2'), '1001');
  });

  it('leaves out instances that shall get no load', async () => {
    const world = await worldWith(instance('a1', { weight: 0 }), instance('a2'));
    assert.equal(await world.ask('payments'), '1002');
  });

  it('reads a tag before the name, and names with dots where there are such', async () => {
    const world = await worldWith(instance('a1', { tags: ['v2'] }), instance('a2'));
    assert.equal(await world.ask('v2.payments'), '1001');
    assert.equal(await world.ask('payments', 'v3'), '');
    const dotted = new World(['two.words']);
    await dotted.upstreams.refreshNames();
    const asking = dotted.ask('two.words');
    dotted.say('two.words', [instance('a3')]);
    assert.equal(await asking, '1003');
  });
});
