// A latency estimate that rises at once and falls slowly (peak-sensitive exponentially weighted moving average).

/** After this time without a reply, an observation has lost 63 % of its weight. */
const decayMs = 10_000;

export class PeakEwma {
  #valueMs: number | undefined;
  #atMs = 0;

  observe(latencyMs: number, nowMs: number): void {
    const kept = Math.exp((this.#atMs - nowMs) / decayMs);
    const value = this.#valueMs ?? latencyMs;
    this.#valueMs = latencyMs > value ? latencyMs : value * kept + latencyMs * (1 - kept);
    this.#atMs = nowMs;
  }

  /** The estimate, decayed towards 0 since the last observation so that a once slow instance is tried again. */
  readMs(nowMs: number): number | undefined {
    if (this.#valueMs === undefined) return undefined;
    return this.#valueMs * Math.exp((this.#atMs - nowMs) / decayMs);
  }
}
