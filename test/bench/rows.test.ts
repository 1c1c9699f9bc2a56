// The figures of the proxies' tables: medians, percentiles of all rounds together, and ratios.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { latencyTable } from '../../bench/proxies/report.ts';
import { rowsOf, type Row, type Subject } from '../../bench/proxies/rows.ts';
import { median, quantile } from '../../bench/proxies/statistics.ts';
import type { Sample } from '../../bench/proxies/workloads.ts';

const workload = 'any';

function subject(name: string, samples: readonly Partial<Sample>[]): Subject {
  const whole = samples.map((sample) => ({ ...nothing, ...sample }));
  const process = { port: 0, pid: 0, residentBeforeMb: NaN, residentAfterMb: NaN };
  return { name, ...process, samples: new Map([[workload, whole]]) };
}

const nothing: Sample = {
  cpuUs: NaN,
  userUs: NaN,
  systemUs: NaN,
  perSecond: NaN,
  lateP99Ms: NaN,
  failed: 0,
  latenciesMs: [],
};

function rowOf(name: string, subjects: readonly Subject[]): Row {
  const row = rowsOf(workload, subjects).find((one) => one.name === name);
  assert.ok(row);
  return row;
}

function withCpu(name: string, ...cpuUs: readonly number[]): Subject {
  return subject(
    name,
    cpuUs.map((one) => ({ cpuUs: one })),
  );
}

/** One round for each list of [latency, how often]. */
function withLatencies(
  name: string,
  ...rounds: readonly (readonly (readonly [number, number])[])[]
): Subject {
  const spread = (round: readonly (readonly [number, number])[]): number[] =>
    round.flatMap(([ms, count]) => Array.from({ length: count }, () => ms));
  return subject(
    name,
    rounds.map((round) => ({ latenciesMs: spread(round) })),
  );
}

describe('statistics', () => {
  it('has the middle of an odd number of values, and between the middle two of an even one', () => {
    assert.equal(median([9, 1, 2]), 2);
    assert.equal(median([10, 9, 1, 2]), 5.5);
    assert.equal(median([]), NaN);
  });

  it('has as many values below a quantile as it says', () => {
    const values = Array.from({ length: 1000 }, (_, n) => 999 - n);
    assert.equal(quantile(values, 0.5), 500);
    assert.equal(quantile(values, 0.99), 990);
    assert.equal(quantile([1, 3, 2], 1), 3);
    assert.equal(quantile([], 0.5), NaN);
  });
});

describe('a row', () => {
  it('compares a round with the same round of the other', () => {
    const all = [withCpu('HAProxy', 10, 20, 40), withCpu('other', 30, 20, 80)];
    const { median, ofHaproxy } = rowOf('other', all);
    assert.equal(median.cpuUs, 30);
    // Not 30 of 20, the medians.
    assert.equal(ofHaproxy?.cpuUs, 2);
  });

  it('has no ratio to what is left out', () => {
    const { ofHaproxy, ofDirect, latencyOfDirect, added } = rowOf('other', [
      withLatencies('other', [[1, 100]]),
    ]);
    assert.equal(ofHaproxy, undefined);
    assert.equal(ofDirect, undefined);
    assert.equal(latencyOfDirect.p50Ms, NaN);
    assert.equal(added.p50Ms, NaN);
  });

  it('has the percentiles of the requests of all rounds together', () => {
    const quiet = [[1, 10_000]] as const;
    const stalled = [
      [1, 9780],
      [9, 200],
      [50, 20],
    ] as const;
    const { latency, samples } = rowOf('other', [withLatencies('other', quiet, stalled)]);
    assert.deepEqual(latency, { p50Ms: 1, p99Ms: 9, p999Ms: 50 });
    assert.deepEqual(
      samples.map(({ p50Ms, p99Ms, p999Ms }) => [p50Ms, p99Ms, p999Ms]),
      [
        [1, 1, 1],
        [1, 9, 50],
      ],
    );
  });

  it('has no percentile with fewer than ten requests above it', () => {
    const p99 = (count: number): number =>
      rowOf('other', [withLatencies('other', [[1, count]])]).latency.p99Ms;
    assert.equal(p99(1000), NaN);
    assert.equal(p99(1001), 1);
  });

  it('says what is added to direct, and how that compares with what HAProxy adds', () => {
    const all = [
      withLatencies('direct', [[2, 100]]),
      withLatencies('HAProxy', [[3, 100]]),
      withLatencies('other', [[6, 100]]),
    ];
    const { added, addedOfHaproxy, latencyOfDirect } = rowOf('other', all);
    assert.equal(added.p50Ms, 4);
    assert.equal(addedOfHaproxy.p50Ms, 4);
    assert.equal(latencyOfDirect.p50Ms, 3);
  });

  it('has no ratio to what HAProxy adds where noise hides that', () => {
    const all = [
      withLatencies('direct', [[2, 100]]),
      withLatencies('HAProxy', [[1.9, 100]]),
      withLatencies('other', [[6, 100]]),
    ];
    assert.equal(rowOf('other', all).addedOfHaproxy.p50Ms, NaN);
  });
});

describe('the table of latencies', () => {
  it('fits 160 columns', () => {
    const names = ['direct', 'HAProxy', 'Outrigger general lane', 'Outrigger on Node 20.18.1'];
    const slow = names.map((name, n) => withLatencies(name, [[12.345 * (n + 1), 11_000]]));
    const lines = latencyTable(rowsOf(workload, slow)).split('\n');
    assert.ok(Math.max(...lines.map((line) => line.length)) <= 160);
  });
});
