// A token bucket: how long to wait so that something happens at most so often. Pure; time is an argument.

export interface TokenBucketOptions {
  readonly tokensPerSecond: number;
  /** Tokens that an unused bucket holds. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #options: TokenBucketOptions;
  /** Negative while tokens of the future are taken already. */
  #tokens: number;
  #countedAtMs = -Infinity;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
  }

  /** Takes a token and returns the milliseconds until it may be used: 0 when there was one. */
  takeMs(nowMs: number): number {
    const { tokensPerSecond, burst } = this.#options;
    const gained = ((nowMs - this.#countedAtMs) * tokensPerSecond) / 1000;
    this.#tokens = Math.min(burst, this.#tokens + gained) - 1;
    this.#countedAtMs = nowMs;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / tokensPerSecond;
  }
}
