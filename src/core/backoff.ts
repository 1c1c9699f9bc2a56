// Exponential back-off with full jitter: the pause before the next try.
import type { Random } from './random.ts';

export interface BackoffOptions {
  /** Upper bound of the first pause. */
  readonly baseMs: number;
  /** Upper bound of every pause, applied before the jitter so that the jitter is never lost at the cap. */
  readonly capMs: number;
}

/** The pause before try number `failures + 1`: uniform in [0, min(cap, base · 2^(failures − 1))]. */
export function backoffMs(failures: number, options: BackoffOptions, random: Random): number {
  const bound = Math.min(options.capMs, options.baseMs * 2 ** Math.min(failures - 1, 30));
  return random() * bound;
}
