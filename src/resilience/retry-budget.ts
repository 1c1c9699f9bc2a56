// The retry budget: how many retries a service may be sent, so that retries never multiply an overload.

/** Over what time past requests count. */
const windowMs = 10_000;

export interface RetryBudgetOptions {
  /** Retries earned by each request. */
  readonly ratio: number;
  /** Retries that are allowed each second whatever the traffic. */
  readonly perSecondMin: number;
}

/** Each request deposits `ratio`; deposits fade over 10 s; a reserve refills with `perSecondMin` a second. */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  #deposits = 0;
  #reserve: number;
  #atMs = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
    this.#reserve = options.perSecondMin;
  }

  deposit(nowMs: number): void {
    this.#settle(nowMs);
    this.#deposits += this.#options.ratio;
  }

  /** Takes one retry out, if there is one. */
  withdraw(nowMs: number): boolean {
    this.#settle(nowMs);
    if (this.#deposits >= 1) {
      this.#deposits--;
      return true;
    }
    if (this.#reserve >= 1) {
      this.#reserve--;
      return true;
    }
    return false;
  }

  /** Whole retries left now. */
  left(nowMs: number): number {
    this.#settle(nowMs);
    return Math.floor(this.#deposits) + Math.floor(this.#reserve);
  }

  #settle(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    const { perSecondMin } = this.#options;
    this.#deposits *= Math.exp(-elapsedMs / windowMs);
    this.#reserve = Math.min(perSecondMin, this.#reserve + (perSecondMin * elapsedMs) / 1000);
    this.#atMs = nowMs;
  }
}
