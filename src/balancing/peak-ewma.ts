// A latency estimate that rises fast and falls slowly (peak-sensitive exponentially weighted moving average).

/** In this time what was known has lost 63 % of its weight: to slower replies, and to faster ones or none. */
const riseMs = 1000;
const decayMs = 10_000;

/**
 * The first replies of an instance take long for reasons that pass: connections to open, code not yet compiled. As peaks they
 * would keep it without work for half a minute.
 */
const firstReplies = 10;

export class PeakEwma {
  #valueMs: number | undefined;
  #atMs = 0;
  #observed = 0;

  observe(latencyMs: number, nowMs: number): void {
    if (this.#observed < firstReplies) {
      this.#observed++;
      this.#valueMs = latencyMs;
    } else {
      const value = this.#valueMs ?? latencyMs;
      const kept = Math.exp((this.#atMs - nowMs) / (latencyMs > value ? riseMs : decayMs));
      this.#valueMs = value * kept + latencyMs * (1 - kept);
    }
    this.#atMs = nowMs;
  }

  /**
   * The estimate, decayed towards 0 since the last observation so that a once slow instance is tried again. Undefined until
   * there were some observations.
   */
  readMs(nowMs: number): number | undefined {
    if (this.#valueMs === undefined || this.#observed < firstReplies) return undefined;
    return this.#valueMs * Math.exp((this.#atMs - nowMs) / decayMs);
  }
}
