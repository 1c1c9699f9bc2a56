// The few statistics that the benchmarks need.

/** NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** The value that this share of the others is below, such as 0.99; the greatest when there are too few. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const index = Math.floor(values.length * share);
  return ascending(values)[Math.min(values.length - 1, index)] ?? NaN;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
