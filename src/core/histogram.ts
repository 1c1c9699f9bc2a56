// A latency histogram whose observation is a few integer adds.

/** Upper bounds of the buckets in milliseconds; the last bucket has none. */
export const latencyBoundsMs = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
] as const;

export class Histogram {
  /** Observations in each bucket (not cumulative), one more than there are bounds. */
  readonly counts: number[] = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  sumMs = 0;
  count = 0;

  observe(valueMs: number): void {
    let index = 0;
    while (index < latencyBoundsMs.length && valueMs > (latencyBoundsMs[index] ?? Infinity))
      index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sumMs += valueMs;
    this.count++;
  }
}
