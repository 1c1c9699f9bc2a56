// How long ago each lease was renewed, as one reader sees it: it compares no clock of its own with anybody else's.
import type { LeaseRecord } from './registration.ts';

/** Of one lease, or of a slice that lacks one. */
export interface LeaseAge {
  /** Changes when it is renewed. */
  readonly renewal: string;
  readonly durationMs: number;
  readonly ageMs: number;
  /**
   * For how long it has been seen to be too old. Zero at the first look that finds it so: the server may just have come back,
   * and nobody could renew before.
   */
  readonly overdueMs: number;
}

/** A lease is over when it has been overdue for so long, which is time enough for every living agent to renew. */
export const confirmMs = 1500;
/** What one look to the next adds to `overdueMs` at most: time in which the server was away proves nothing. */
const stepMaxMs = 2 * confirmMs;

export interface LookTimes {
  /** Monotonic. */
  readonly nowMs: number;
  /** Of a slice without a lease. */
  readonly defaultDurationMs: number;
}

/** The leases of one service. */
export class LeaseAges {
  #ages: ReadonlyMap<string, LeaseAge> = new Map();
  #lookedAtMs: number | undefined;

  /** Takes in what the server has now for these names, and forgets all others. */
  look(
    names: Iterable<string>,
    leases: ReadonlyMap<string, LeaseRecord>,
    { nowMs, defaultDurationMs }: LookTimes,
  ): ReadonlyMap<string, LeaseAge> {
    const elapsedMs = nowMs - (this.#lookedAtMs ?? nowMs);
    const ages = new Map<string, LeaseAge>();
    for (const name of names) {
      const lease = leases.get(name);
      const renewal = lease?.resourceVersion ?? '';
      const durationMs = lease?.durationMs ?? defaultDurationMs;
      const before = this.#ages.get(name);
      const renewed = before?.renewal !== renewal;
      const ageMs = renewed ? freshAgeMs(lease, before, elapsedMs) : before.ageMs + elapsedMs;
      const wasOverdue = !renewed && before.ageMs > before.durationMs;
      const overdueMs = wasOverdue ? before.overdueMs + Math.min(elapsedMs, stepMaxMs) : 0;
      ages.set(name, { renewal, durationMs, ageMs, overdueMs });
    }
    this.#ages = ages;
    this.#lookedAtMs = nowMs;
    return ages;
  }
}

/** By the server's times, which count in seconds; but one that was renewed since the last look is no older than that. */
function freshAgeMs(
  lease: LeaseRecord | undefined,
  before: LeaseAge | undefined,
  elapsedMs: number,
): number {
  const ageMs = lease?.ageMs ?? 0;
  return before === undefined ? ageMs : Math.min(ageMs, elapsedMs);
}

/** Whether its agent has missed its time, or has yet to write it. */
export function isLate({ renewal, ageMs, durationMs }: LeaseAge): boolean {
  return renewal === '' || ageMs > durationMs;
}

export function isOver({ overdueMs }: LeaseAge): boolean {
  return overdueMs >= confirmMs;
}

/** When the leases have to be looked at again: as soon as one may turn out to be over, at the latest after `idleMs`. */
export function nextLookMs(ages: Iterable<LeaseAge>, idleMs: number): number {
  let nextMs = idleMs;
  for (const age of ages) {
    if (isOver(age)) continue;
    nextMs = Math.min(nextMs, Math.max(confirmMs, age.durationMs - age.ageMs));
  }
  return nextMs;
}
