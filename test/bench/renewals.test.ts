// How the benchmarks count heartbeats: late ones, missed ones and lost records.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RenewalCount, type Renewals } from '../../bench/proxies/renewals.ts';

const heartbeatMs = 1000;
const startMs = 1_700_000_000_000;

/** Of what the registry had at one time after another, in ms since the first renewal. */
function counted(records: readonly (number | undefined)[], endMs?: number): Renewals {
  const count = new RenewalCount({ heartbeatMs });
  for (const atMs of records) count.saw(atMs === undefined ? undefined : startMs + atMs);
  if (endMs !== undefined) count.end(startMs + endMs);
  return count.figures;
}

describe('renewals', () => {
  it('are seen once, however often one looks', () => {
    const figures = counted([0, 0, 1000, 1000, 1000, 2000]);
    assert.deepEqual(figures, { seen: 2, missed: 0, longestMs: 1000, losses: 0 });
  });

  it('are late without being missed until a second heartbeat is due', () => {
    assert.equal(counted([0, 1100, 3099]).missed, 0);
    assert.equal(counted([0, 2000]).missed, 1);
  });

  it('are missed once for each heartbeat that did not come in between', () => {
    const { missed, longestMs } = counted([0, 2500, 3500, 7600]);
    // One before 2500, three before 7600.
    assert.equal(missed, 4);
    assert.equal(longestMs, 4100);
  });

  it('are missed when none comes until the end', () => {
    assert.equal(counted([0, 1000], 2500).missed, 0);
    assert.equal(counted([0, 1000], 4000).missed, 2);
  });

  it('are not counted before the first record, nor is its absence a loss', () => {
    const figures = counted([undefined, undefined, 0], 500);
    assert.deepEqual(figures, { seen: 0, missed: 0, longestMs: 500, losses: 0 });
    assert.deepEqual(counted([], 0), { seen: 0, missed: 0, longestMs: 0, losses: 0 });
  });

  it('count a lost record once, and the heartbeats that were missed until it was back', () => {
    const figures = counted([0, 1000, undefined, undefined, 5000, undefined]);
    assert.deepEqual(figures, { seen: 2, missed: 3, longestMs: 4000, losses: 2 });
  });
});
