// From samples to medians, percentiles and ratios: what a table has of each proxy.
import { median, quantile } from './statistics.ts';
import { figures, type Figures, type Sample } from './workloads.ts';

export interface Subject {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly residentBeforeMb: number;
  residentAfterMb: number;
  /** One for each round, by workload. */
  readonly samples: Map<string, Sample[]>;
}

export interface Row {
  readonly name: string;
  readonly median: Figures;
  /** Medians of the ratios within each round; undefined when the other one is left out. */
  readonly ofHaproxy: Figures | undefined;
  readonly ofDirect: Figures | undefined;
  /** Of the requests of all rounds together; NaN for those that have fewer than ten requests above them. */
  readonly latency: Latencies;
  readonly latencyOfDirect: Latencies;
  /** What the latency is above that of no proxy. */
  readonly added: Latencies;
  /** The ratio to what HAProxy adds; NaN where noise hides that. */
  readonly addedOfHaproxy: Latencies;
  /** Those of each round, with its own percentiles. */
  readonly samples: readonly (Figures & Latencies)[];
}

const shares = { p50Ms: 0.5, p99Ms: 0.99, p999Ms: 0.999 } as const;
type Percentile = keyof typeof shares;
export const percentiles = Object.keys(shares) as Percentile[];
export type Latencies = Record<Percentile, number>;

/** With fewer requests above it a percentile is chance. */
const aboveMin = 10;

/** One row for each subject; rounds are compared with the same rounds of `HAProxy` and of `direct`. */
export function rowsOf(workload: string, subjects: readonly Subject[]): Row[] {
  const samplesOf = (name: string): readonly Sample[] | undefined =>
    subjects.find((subject) => subject.name === name)?.samples.get(workload);
  const haproxy = samplesOf('HAProxy');
  const direct = samplesOf('direct');
  const directly = pooled(direct ?? []);
  const added = (samples: readonly Sample[]): Latencies => {
    const own = pooled(samples);
    return eachPercentile((p) => own[p] - directly[p]);
  };
  const addedByHaproxy = added(haproxy ?? []);
  return subjects.map(({ name, samples: all }) => {
    const samples = all.get(workload) ?? [];
    const latency = pooled(samples);
    const own = added(samples);
    return {
      name,
      median: eachFigure((figure) => median(samples.map((sample) => sample[figure]))),
      ofHaproxy: haproxy && ratios(samples, haproxy),
      ofDirect: direct && ratios(samples, direct),
      latency,
      latencyOfDirect: eachPercentile((p) => latency[p] / directly[p]),
      added: own,
      addedOfHaproxy: eachPercentile((p) =>
        addedByHaproxy[p] > 0 ? own[p] / addedByHaproxy[p] : NaN,
      ),
      samples: samples.map(({ latenciesMs, ...one }) => ({ ...one, ...latencies(latenciesMs) })),
    };
  });
}

function ratios(samples: readonly Sample[], others: readonly Sample[]): Figures {
  return eachFigure((figure) =>
    median(samples.map((sample, round) => sample[figure] / (others[round]?.[figure] ?? NaN))),
  );
}

function pooled(samples: readonly Sample[]): Latencies {
  const all = samples.flatMap(({ latenciesMs }) => latenciesMs);
  const own = latencies(all);
  return eachPercentile((p) => {
    const above = all.length - 1 - Math.floor(all.length * shares[p]);
    return above < aboveMin ? NaN : own[p];
  });
}

function latencies(latenciesMs: readonly number[]): Latencies {
  return eachPercentile((p) => quantile(latenciesMs, shares[p]));
}

function eachFigure(value: (figure: (typeof figures)[number]) => number): Figures {
  return Object.fromEntries(figures.map((figure) => [figure, value(figure)])) as Figures;
}

function eachPercentile(value: (p: Percentile) => number): Latencies {
  return Object.fromEntries(percentiles.map((p) => [p, value(p)])) as Latencies;
}
