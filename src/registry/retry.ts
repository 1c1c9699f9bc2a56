// How long to wait before the registry is asked again after a failure.
import { backoffMs } from '../core/backoff.ts';
import type { RegistryError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';

const baseMs = 250;
/** Refused credentials are mended by a person: asking often only fills the server's log. */
const authCapMs = 15_000;

/** Full jitter in [0, min(cap, 250 ms · 2^(failures − 1))]. */
export function retryDelayMs(
  failures: number,
  error: RegistryError,
  capMs: number,
  random: Random,
): number {
  const cap = error.code === 'registry_auth' ? authCapMs : capMs;
  return backoffMs(failures, { baseMs, capMs: cap }, random);
}
