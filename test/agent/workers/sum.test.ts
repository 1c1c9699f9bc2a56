import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UsedServiceStatus } from '../../../src/admin/view.ts';
import { countersOf, sumUses } from '../../../src/agent/workers/sum.ts';
import { fakeEndpoint, fakeUse } from '../../support/fake-view.ts';

function one(uses: readonly UsedServiceStatus[]): UsedServiceStatus {
  assert.equal(uses.length, 1);
  const [use] = uses;
  assert.ok(use !== undefined);
  return use;
}

/** As it arrives: a histogram that came as JSON has no methods. */
function received(use: UsedServiceStatus): UsedServiceStatus {
  return JSON.parse(JSON.stringify(use)) as UsedServiceStatus;
}

describe('the sum of what workers tell', () => {
  it('adds the counters of a service, each outcome by itself', () => {
    const other = fakeUse();
    const requests = [
      { code: 200, reason: null, count: 7 },
      { code: 404, reason: null, count: 2 },
    ];
    const traffic = { ...other.traffic, requests };
    const sum = one(sumUses([[received(fakeUse())], [received({ ...other, traffic })]]));
    assert.deepEqual(sum.traffic.requests, [
      { code: 200, reason: null, count: 12 },
      { code: 502, reason: 'connect_failed', count: 1 },
      { code: 404, reason: null, count: 2 },
    ]);
    const { attempts, retries, ejections, retryBudget, inFlight, latency } = sum.traffic;
    assert.deepEqual([attempts, retries, ejections, retryBudget, inFlight], [16, 4, 6, 22, 8]);
    const { latency: single } = fakeUse().traffic;
    assert.equal(latency.count, 2 * single.count);
    assert.equal(latency.sumMs, 2 * single.sumMs);
    assert.deepEqual(
      latency.counts,
      single.counts.map((count) => 2 * count),
    );
  });

  it('keeps services apart, and is known when any worker knows it', () => {
    const uses = sumUses([
      [fakeUse({ service: 'a', known: false })],
      [fakeUse({ service: 'b' }), fakeUse({ service: 'a', known: true })],
    ]);
    assert.deepEqual(
      uses.map(({ service, known }) => [service, known]),
      [
        ['a', true],
        ['b', true],
      ],
    );
  });

  it('shows the worst that a worker sees of an instance, and how many see it out', () => {
    const out = { state: 'ejected', cause: 'refused' } as const;
    const lists = [
      [fakeEndpoint('a', { outstanding: 1, attempts: 5, latencyMs: 2 }), fakeEndpoint('b')],
      [fakeEndpoint('a', { ...out, ejectedForMs: 10, outstanding: 2, latencyMs: null })],
      [fakeEndpoint('a', { ...out, ejectedForMs: 20, failures: 3, latencyMs: 4 })],
    ];
    const { endpoints } = one(sumUses(lists.map((endpoints) => [fakeUse({ endpoints })])));
    assert.deepEqual(
      endpoints.map(({ id }) => id),
      ['a', 'b'],
    );
    const { state, cause, ejectedForMs, outstanding, attempts, failures, latencyMs } =
      endpoints[0] ?? assert.fail();
    assert.deepEqual([state, cause, ejectedForMs], ['ejected', 'refused, in 2 of 3 workers', 20]);
    assert.deepEqual([outstanding, attempts, failures, latencyMs], [3, 25, 3, 3]);
  });

  it('does not count workers for an instance that all see out', () => {
    const endpoints = [fakeEndpoint('a', { state: 'probing', cause: 'refused' })];
    const use = fakeUse({ endpoints });
    assert.equal(one(sumUses([[use], [use]])).endpoints[0]?.cause, 'refused');
  });

  it('keeps of an ended worker what it counted and nothing that it held', () => {
    const ended = one(countersOf([fakeUse()]));
    assert.deepEqual(ended.endpoints, []);
    assert.deepEqual([ended.traffic.inFlight, ended.traffic.retryBudget], [0, 0]);
    assert.deepEqual(ended.traffic.requests, fakeUse().traffic.requests);
  });
});
