// From samples to medians and ratios, and the table of them.
import { figures, type Figures } from './workloads.ts';

export interface Subject {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly residentBeforeMb: number;
  residentAfterMb: number;
  /** One for each round, by workload. */
  readonly samples: Map<string, Figures[]>;
}

export interface Row {
  readonly name: string;
  readonly median: Figures;
  /** Medians of the ratios within each round; undefined when the other one is left out. */
  readonly ofHaproxy: Figures | undefined;
  readonly ofDirect: Figures | undefined;
  /** Medians of what the proxy's latencies are above those of no proxy in the same round. */
  readonly added: Latencies;
  /** The ratio of these medians to those of HAProxy; NaN where noise hides what HAProxy adds. */
  readonly addedOfHaproxy: Latencies;
  readonly samples: readonly Figures[];
}

const latencies = ['p50Ms', 'p99Ms', 'p999Ms'] as const;
export type Latencies = Record<(typeof latencies)[number], number>;

export function rowsOf(workload: string, subjects: readonly Subject[]): Row[] {
  const samplesOf = (name: string): readonly Figures[] | undefined =>
    subjects.find((subject) => subject.name === name)?.samples.get(workload);
  const haproxy = samplesOf('HAProxy');
  const direct = samplesOf('direct');
  const added = (samples: readonly Figures[]): Latencies =>
    eachLatency((p) => (direct ? median(samples.map((s, n) => s[p] - at(direct, n)[p])) : NaN));
  const addedByHaproxy = added(haproxy ?? []);
  return subjects.map(({ name, samples: all }) => {
    const samples = all.get(workload) ?? [];
    const ratios = (others: readonly Figures[] | undefined): Figures | undefined =>
      others &&
      eachFigure((figure) => median(samples.map((s, n) => s[figure] / at(others, n)[figure])));
    return {
      name,
      median: eachFigure((figure) => median(samples.map((sample) => sample[figure]))),
      ofHaproxy: ratios(haproxy),
      ofDirect: ratios(direct),
      added: added(samples),
      addedOfHaproxy: eachLatency((p) =>
        addedByHaproxy[p] > 0 ? added(samples)[p] / addedByHaproxy[p] : NaN,
      ),
      samples,
    };
  });
}

/** Requests as fast as they are answered: what each costs, and how many there are. */
export function saturationTable(rows: readonly Row[]): string {
  const titles = [
    'CPU µs',
    'user',
    'system',
    '× HAProxy',
    'per s',
    '× HAProxy',
    '× direct',
    'failed',
  ];
  return table(
    titles,
    rows.map(({ name, median: own, ofHaproxy, ofDirect }) => [
      name,
      // Nothing failed because nothing was sent.
      Number.isNaN(own.failed) ? 'not carried' : number(own.cpuUs, 1),
      number(own.userUs, 1),
      number(own.systemUs, 1),
      number(ofHaproxy?.cpuUs, 2),
      number(own.perSecond, own.perSecond < 1000 ? 1 : 0),
      number(ofHaproxy?.perSecond, 2),
      number(ofDirect?.perSecond, 2),
      number(own.failed, 0),
    ]),
  );
}

/** Requests at a constant rate: how late their replies are, and how much of that the proxy adds. */
export function latencyTable(rows: readonly Row[]): string {
  const titles = ['p50 ms', 'p99 ms', 'p99.9 ms'].flatMap((p) => [p, 'added', '× HAProxy']);
  return table(
    ['CPU µs', '× HAProxy', ...titles, 'sent late', 'failed'],
    rows.map(({ name, median: own, ofHaproxy, added, addedOfHaproxy }) => [
      name,
      number(own.cpuUs, 1),
      number(ofHaproxy?.cpuUs, 2),
      ...latencies.flatMap((p) => {
        const isAdded = name !== 'direct';
        return [
          number(own[p], 3),
          number(isAdded ? added[p] : NaN, 3),
          number(isAdded ? addedOfHaproxy[p] : NaN, 2),
        ];
      }),
      number(own.lateP99Ms, 3),
      number(own.failed, 0),
    ]),
  );
}

export function memoryTable(subjects: readonly Subject[]): string {
  const haproxyMb = subjects.find(({ name }) => name === 'HAProxy')?.residentAfterMb;
  return table(
    ['before MB', 'after MB', '× HAProxy'],
    subjects
      .filter(({ name }) => name !== 'direct')
      .map(({ name, residentBeforeMb, residentAfterMb }) => [
        name,
        number(residentBeforeMb, 1),
        number(residentAfterMb, 1),
        number(haproxyMb && residentAfterMb / haproxyMb, 1),
      ]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [['', ...titles], ...rows]
    .map(
      ([name = '', ...cells]) => name.padEnd(25) + cells.map((cell) => cell.padStart(11)).join(''),
    )
    .join('\n');
}

/** A dash where there is no such figure. */
export function number(value: number | undefined, digits: number): string {
  return value === undefined || !Number.isFinite(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function eachFigure(value: (figure: (typeof figures)[number]) => number): Figures {
  return Object.fromEntries(figures.map((figure) => [figure, value(figure)])) as Figures;
}

function eachLatency(value: (p: (typeof latencies)[number]) => number): Latencies {
  return Object.fromEntries(latencies.map((p) => [p, value(p)])) as Latencies;
}

function at(samples: readonly Figures[], round: number): Figures {
  return samples[round] ?? eachFigure(() => NaN);
}
