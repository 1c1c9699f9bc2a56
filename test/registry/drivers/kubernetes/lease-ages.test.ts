import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isLate,
  isOver,
  LeaseAges,
  nextLookMs,
  type LeaseAge,
} from '../../../../src/registry/drivers/kubernetes/lease-ages.ts';
import { leaseOf, parseLease } from '../../../../src/registry/drivers/kubernetes/registration.ts';

/** One reader and one lease of 10 s. */
class Reader {
  readonly #ages = new LeaseAges();

  look(nowMs: number, renewal: string | undefined, serverAgeMs = 0): LeaseAge {
    const lease =
      renewal === undefined
        ? []
        : [{ name: 'a', resourceVersion: renewal, durationMs: 10_000, ageMs: serverAgeMs }];
    const leases = new Map(lease.map((one) => [one.name, one]));
    const age = this.#ages.look(['a'], leases, { nowMs, defaultDurationMs: 10_000 }).get('a');
    assert.ok(age !== undefined);
    return age;
  }
}

describe('the age of a lease', () => {
  it('is what the server says at first, and never more than the time since it was seen', () => {
    const reader = new Reader();
    assert.equal(reader.look(0, '1', 4000).ageMs, 4000);
    assert.equal(reader.look(3000, '1', 0).ageMs, 7000);
    assert.equal(reader.look(5000, '2', 1000).ageMs, 1000);
    // The server's clock has jumped.
    assert.equal(reader.look(6000, '3', 3_600_000).ageMs, 1000);
  });

  it('makes it late as soon as it is overdue, or missing', () => {
    const reader = new Reader();
    assert.equal(isLate(reader.look(0, undefined)), true);
    assert.equal(isLate(reader.look(0, '1')), false);
    assert.equal(isLate(reader.look(10_000, '1')), false);
    assert.equal(isLate(reader.look(10_001, '1')), true);
    assert.equal(isLate(reader.look(10_002, '2')), false);
  });

  it('ends it only when a second look finds it overdue', () => {
    const reader = new Reader();
    reader.look(0, '1');
    assert.equal(isOver(reader.look(10_500, '1')), false);
    assert.equal(isOver(reader.look(12_000, '1')), true);
    assert.equal(isOver(reader.look(13_000, '2')), false);
  });

  it('does not count time in which the server was away', () => {
    const reader = new Reader();
    reader.look(0, '1');
    // An outage; the agent renews just after this look.
    assert.equal(isOver(reader.look(60_000, '1')), false);
    assert.equal(isOver(reader.look(61_500, '2')), false);
    reader.look(72_000, '2');
    // Another one, while it is overdue: dead perhaps, but not for so long.
    assert.equal(reader.look(600_000, '2').overdueMs, 3000);
  });

  it('of a slice without a lease begins when it is seen', () => {
    const reader = new Reader();
    assert.equal(reader.look(0, undefined).ageMs, 0);
    reader.look(11_000, undefined);
    assert.equal(isOver(reader.look(13_000, undefined)), true);
  });
});

describe('the next look', () => {
  const age = (ageMs: number, overdueMs = 0): LeaseAge => ({
    renewal: '1',
    durationMs: 10_000,
    ageMs,
    overdueMs,
  });

  it('comes when the first lease may end, or be seen to have ended', () => {
    assert.equal(nextLookMs([], 15_000), 15_000);
    assert.equal(nextLookMs([age(1000), age(4000)], 15_000), 6000);
    assert.equal(nextLookMs([age(9900), age(4000)], 15_000), 1500);
    assert.equal(nextLookMs([age(11_000), age(4000)], 15_000), 1500);
    assert.equal(nextLookMs([age(20_000, 9000)], 15_000), 15_000);
  });
});

describe('a lease object', () => {
  const service = { name: 'payments', namespace: 'shop' };
  const lease = leaseOf(service, 'a', { ttlMs: 2500, wallMs: 0 });

  it('lasts whole seconds and says when it was renewed', () => {
    const { spec } = lease as { spec: object };
    assert.deepEqual(spec, {
      holderIdentity: 'a',
      leaseDurationSeconds: 3,
      renewTime: '1970-01-01T00:00:00.000000Z',
    });
  });

  it("is as old as the server's note of the latest write", () => {
    const managedFields = [{ time: '2024-01-01T00:00:00Z' }, { time: '2024-01-01T00:00:07Z' }];
    const metadata = { name: 'a', resourceVersion: '9', managedFields };
    const nowMs = Date.parse('2024-01-01T00:00:10Z');
    assert.deepEqual(parseLease({ ...lease, metadata }, nowMs), {
      name: 'a',
      resourceVersion: '9',
      durationMs: 3000,
      ageMs: 3000,
    });
    assert.equal(parseLease({ ...lease, metadata: { name: 'a' } }, nowMs)?.ageMs, 0);
    assert.equal(parseLease({ metadata }, nowMs), undefined);
  });
});
