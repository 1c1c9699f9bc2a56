import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fleet } from '../../../../src/registry/drivers/eureka/fleet.ts';
import { entryOf, leaseOf, listOf, type Entry } from './fixture.ts';

function fleetOf(...entries: readonly Entry[]): Fleet {
  const fleet = new Fleet();
  fleet.replace(listOf(entries), false);
  return fleet;
}

function idsOf(fleet: Fleet, service = 'payments'): readonly string[] {
  return fleet.reading(service).instances.map(({ id }) => id);
}

function changed(id: string, updatedMs: number, parts: Entry = {}): Entry {
  return entryOf(id, { actionType: 'MODIFIED', lastUpdatedTimestamp: String(updatedMs), ...parts });
}

function deleted(id: string, updatedMs: number, parts: Entry = {}): Entry {
  return changed(id, updatedMs, { actionType: 'DELETED', ...parts });
}

describe('a fleet', () => {
  it('gives the instances that are UP, by service', () => {
    const fleet = fleetOf(
      entryOf('a'),
      entryOf('b', { status: 'OUT_OF_SERVICE' }),
      entryOf('c', { status: 'STARTING' }),
      entryOf('d', { app: 'ORDERS' }),
      entryOf('e', { app: 'IDLE', status: 'DOWN' }),
    );
    assert.deepEqual(idsOf(fleet), ['a']);
    assert.deepEqual(idsOf(fleet, 'orders'), ['d']);
    assert.deepEqual(fleet.names(), ['payments', 'orders']);
  });

  it('gives equal versions for equal lists, in whatever order', () => {
    const [one, other] = [fleetOf(entryOf('a'), entryOf('b')), fleetOf(entryOf('b'), entryOf('a'))];
    assert.equal(one.reading('payments').version, other.reading('payments').version);
    const more = fleetOf(entryOf('a'), entryOf('b'), entryOf('c'));
    assert.notEqual(one.reading('payments').version, more.reading('payments').version);
  });

  it('counts what is UP but no instance', () => {
    assert.equal(fleetOf(entryOf('a', { port: {} })).reading('payments').malformed, 1);
  });

  it('applies changes, and the same again without effect', () => {
    const fleet = fleetOf(entryOf('a'), entryOf('b'));
    const changes = listOf([entryOf('c'), deleted('a', 2000)], 'UP_2_');
    assert.equal(fleet.apply(changes), true);
    assert.deepEqual(idsOf(fleet), ['b', 'c']);
    const before = fleet.reading('payments');
    assert.equal(fleet.apply(changes), true);
    assert.equal(fleet.reading('payments'), before, 'nothing is made anew');
  });

  it('does not go back by a change that is older than what it knows', () => {
    const fleet = fleetOf(changed('a', 2000));
    assert.equal(fleet.apply(listOf([deleted('a', 1500)], 'UP_1_')), true);
    assert.deepEqual(idsOf(fleet), ['a']);
  });

  it('notices that it is not what the server has', () => {
    const fleet = fleetOf(entryOf('a'));
    assert.equal(fleet.apply(listOf([], 'UP_2_')), false);
    assert.equal(fleet.apply(listOf([changed('a', 2000, { status: 'DOWN' })], 'UP_1_')), false);
    assert.equal(fleet.apply(listOf([], 'DOWN_1_')), true);
  });

  it('tells who took leave, and not who was evicted', () => {
    const fleet = fleetOf(...['a', 'b', 'c', 'd', 'e'].map((id) => entryOf(id)));
    fleet.apply(
      listOf([
        changed('a', 2000, { status: 'OUT_OF_SERVICE' }),
        deleted('b', 2000, { status: 'OUT_OF_SERVICE' }),
        // Its lease would have lasted until 91,000.
        deleted('c', 40_000, leaseOf(1000, 45, 40_000)),
        deleted('d', 95_000, leaseOf(1000, 45, 95_000)),
      ]),
    );
    const { instances, departed } = fleet.reading('payments');
    assert.deepEqual(
      instances.map(({ id }) => id),
      ['e'],
    );
    assert.deepEqual([...(departed ?? [])].sort(), ['a', 'b', 'c']);
    fleet.apply(listOf([changed('b', 3000)]));
    assert.equal(fleet.reading('payments').departed?.has('b'), false);
  });

  it('remembers a bounded number of them', () => {
    const ids = Array.from({ length: 1500 }, (_, n) => `i${n}`);
    const fleet = fleetOf(...ids.map((id) => entryOf(id)));
    fleet.apply(listOf(ids.map((id) => deleted(id, 2000, { status: 'DOWN' }))));
    assert.equal(fleet.reading('payments').departed?.size, 1000);
  });

  it('starts an epoch when the server lost records that nobody removed', () => {
    const fleet = fleetOf(entryOf('a'), entryOf('b'));
    const before = fleet.reading('payments').version;
    fleet.replace(listOf([entryOf('a'), entryOf('b')]), true);
    assert.equal(fleet.reading('payments').version, before);
    // Too long ago: it may have been removed meanwhile.
    fleet.replace(listOf([entryOf('a')]), false);
    assert.equal(fleet.epoch, 0);
    fleet.replace(listOf([]), true);
    assert.equal(fleet.epoch, 1);
    assert.notEqual(fleet.reading('payments').version, before);
  });

  it('gives an instance to each of the services that its VIP addresses name', () => {
    const fleet = new Fleet();
    fleet.replace(listOf([entryOf('a', { vipAddress: 'pay,billing' })], '', true), false);
    assert.equal(fleet.reading('pay').instances[0]?.service, 'pay');
    assert.equal(fleet.reading('billing').instances[0]?.service, 'billing');
    assert.deepEqual(fleet.applicationsOf('billing'), ['PAYMENTS']);
  });
});

describe('the answer about one application', () => {
  it('shows whether the server knows more than its changes told', () => {
    const fleet = fleetOf(entryOf('a'), entryOf('b'));
    assert.equal(fleet.judge(listOf([entryOf('a')])), true);
    assert.equal(fleet.judge(listOf([entryOf('a'), entryOf('c')])), false);
    assert.equal(fleet.judge(listOf([changed('a', 2000)])), false);
    assert.deepEqual(idsOf(fleet), ['a', 'b']);
  });
});

describe('an instance whose lease has ended but which is still listed', () => {
  const timely = (nowMs: number): Entry => entryOf('alive', leaseOf(nowMs, 45));
  const dead = entryOf('dead', leaseOf(1000, 45));

  it('is left out when the others renew for one more lease time', () => {
    const fleet = fleetOf(timely(1000), dead);
    fleet.judge(listOf([timely(92_000), dead]));
    assert.deepEqual(idsOf(fleet), ['alive', 'dead'], 'its lease has just ended');
    fleet.judge(listOf([timely(181_000), dead]));
    assert.deepEqual(idsOf(fleet), ['alive', 'dead']);
    fleet.judge(listOf([timely(182_000), dead]));
    assert.deepEqual(idsOf(fleet), ['alive']);
    fleet.judge(listOf([timely(190_000), entryOf('dead', leaseOf(189_000, 45))]));
    assert.deepEqual(idsOf(fleet), ['alive', 'dead'], 'it renews again');
  });

  it('is judged by the whole list as well, and comes back when it registers anew', () => {
    const fleet = fleetOf(timely(92_000), dead);
    fleet.replace(listOf([timely(182_000), dead]), true);
    assert.deepEqual(idsOf(fleet), ['alive']);
    fleet.apply(listOf([changed('dead', 183_000)]));
    assert.deepEqual([...idsOf(fleet)].sort(), ['alive', 'dead']);
  });

  it('stays when everybody was away: nobody is overdue right after an outage', () => {
    const fleet = fleetOf(timely(1000), dead, entryOf('other', leaseOf(1000, 45)));
    fleet.judge(listOf([timely(900_000), dead, entryOf('other', leaseOf(900_500, 45))]));
    assert.equal(idsOf(fleet).length, 3);
  });

  it('stays when most of the service is overdue, for then the way to the registry is broken', () => {
    const others = ['x', 'y'].map((id) => entryOf(id, leaseOf(1000, 45)));
    const fleet = fleetOf(timely(92_000), ...others);
    fleet.judge(listOf([timely(300_000), ...others]));
    assert.equal(idsOf(fleet).length, 3);
  });

  it('stays when it is alone: nobody shows that time went on', () => {
    const fleet = fleetOf(dead);
    for (let n = 0; n < 3; n++) fleet.judge(listOf([dead]));
    assert.deepEqual(idsOf(fleet), ['dead']);
  });
});
