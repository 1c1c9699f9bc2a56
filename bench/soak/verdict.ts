// Whether an agent grew: straight lines through what was sampled in the second half of a soak.
import { number } from '../proxies/table.ts';

export interface Sample {
  readonly atMinutes: number;
  readonly residentMb: number;
  readonly heapMb: number;
  readonly descriptors: number;
  readonly sockets: number;
}

/** How much a second half may grow for certain: by its line, less twice the error of that. */
const bounds = { residentMb: 6, heapMb: 3, descriptors: 12 } as const;
type Figure = keyof typeof bounds;
const names = { residentMb: 'RSS, MB', heapMb: 'heap, MB', descriptors: 'descriptors' } as const;
const figures = Object.keys(bounds) as Figure[];
/** At rest before and after; timers and the registry open a file now and then. */
const restBound = 4;

export interface Line {
  readonly perHour: number;
  /** From the beginning of the second half to its end, with its standard error. */
  readonly grown: number;
  readonly error: number;
}

export type Growth = Readonly<Record<Figure, Line>>;

/** Of the samples of each minute. */
export function growth(minutes: readonly (readonly Sample[])[]): Growth {
  const half = minutes.slice(Math.floor(minutes.length / 2));
  return {
    residentMb: lineThrough(half.flat(), 'residentMb'),
    // The least of each minute: what is left after a collection.
    heapMb: lineThrough(half.flatMap(leastHeap), 'heapMb'),
    descriptors: lineThrough(half.flat(), 'descriptors'),
  };
}

function leastHeap(samples: readonly Sample[]): Sample[] {
  return [...samples].sort((a, b) => a.heapMb - b.heapMb).slice(0, 1);
}

/** Least squares. */
function lineThrough(samples: readonly Sample[], figure: Figure): Line {
  const mean = (value: (one: Sample) => number): number =>
    samples.reduce((sum, one) => sum + value(one), 0) / samples.length;
  const meanAt = mean(({ atMinutes }) => atMinutes);
  const meanValue = mean((one) => one[figure]);
  const spread = mean(({ atMinutes }) => (atMinutes - meanAt) ** 2);
  const together = mean((one) => (one.atMinutes - meanAt) * (one[figure] - meanValue));
  const perMinute = spread === 0 ? NaN : together / spread;
  const residue = mean(
    (one) => (one[figure] - meanValue - perMinute * (one.atMinutes - meanAt)) ** 2,
  );
  const error = Math.sqrt(residue / spread / Math.max(1, samples.length - 2));
  const times = samples.map(({ atMinutes }) => atMinutes);
  const minutes = Math.max(...times) - Math.min(...times);
  return { perHour: perMinute * 60, grown: perMinute * minutes, error: error * minutes };
}

interface Results {
  readonly growth: Growth;
  readonly restBefore: Sample;
  readonly restAfter: Sample;
  readonly failed: number;
  readonly missed: number;
  readonly renewals: number;
}

/** The bounds, what was found, and whether all of it is within them. */
export function verdict(results: Results): {
  readonly isFlat: boolean;
  readonly lines: readonly string[];
} {
  const { restBefore, restAfter, failed, missed, renewals } = results;
  const checks = figures.map((figure) => {
    const { perHour, grown, error } = results.growth[figure];
    const text = `${names[figure]}: ${number(grown, 1)} ± ${number(error, 1)} in the second half (${number(perHour, 1)} an hour), bound ${bounds[figure]}`;
    return { isGood: grown - 2 * error < bounds[figure], text };
  });
  const more = restAfter.descriptors - restBefore.descriptors;
  checks.push(
    {
      isGood: more <= restBound,
      text: `descriptors at rest: ${restBefore.descriptors} before, ${restAfter.descriptors} after, bound +${restBound}`,
    },
    { isGood: failed === 0, text: `failed requests: ${failed}` },
    {
      isGood: missed === 0 && renewals > 0,
      text: `heartbeats missed: ${missed} of ${renewals + missed}`,
    },
  );
  const isFlat = checks.every(({ isGood }) => isGood);
  const lines = checks.map(({ isGood, text }) => `${isGood ? 'ok ' : 'NOT'} ${text}`);
  const rest = `RSS at rest: ${number(restBefore.residentMb, 1)} MB before, ${number(restAfter.residentMb, 1)} MB after`;
  return { isFlat, lines: [...lines, `    ${rest}`, isFlat ? 'flat' : 'NOT FLAT'] };
}
