// Instances that Eureka lists although they have stopped renewing: those that its self-preservation keeps for ever.
import type { EurekaRecord, LeaseTimes } from './record.ts';

interface Delay {
  /** The lease that ended. */
  readonly endMs: number;
  /** The server's time when that was seen first. */
  readonly seenMs: number;
}

/**
 * Judges by the server's clock alone, and within one answer: somebody's renewal shows that the answer is not older than that.
 * An instance is overdue when its lease has ended and others went on renewing for one more lease time. So no outage of
 * the registry makes anybody overdue: whoever lives renews soon after it.
 */
export class OverdueLeases {
  readonly #delays = new Map<string, Delay>();
  readonly #overdue = new Set<string>();

  has(key: string): boolean {
    return this.#overdue.has(key);
  }

  /** Takes the lease times of an answer, by key. Returns the keys of which the judgement changed. */
  judge(records: ReadonlyMap<string, EurekaRecord>): readonly string[] {
    let nowMs = -Infinity;
    for (const { lease } of records.values()) nowMs = Math.max(nowMs, lease?.renewedMs ?? nowMs);
    const changed: string[] = [];
    for (const [key, { lease }] of records) {
      const before = this.#overdue.has(key);
      if (this.#isOverdue(key, lease, nowMs)) this.#overdue.add(key);
      else this.#overdue.delete(key);
      if (before !== this.#overdue.has(key)) changed.push(key);
    }
    return changed;
  }

  /** It changed or is gone: what was known of its lease no longer counts. */
  forget(key: string): void {
    this.#delays.delete(key);
    this.#overdue.delete(key);
  }

  /** Forgets all that `keep` does not want. */
  retain(keep: (key: string) => boolean): void {
    for (const key of [...this.#delays.keys()]) if (!keep(key)) this.forget(key);
  }

  #isOverdue(key: string, lease: LeaseTimes | undefined, nowMs: number): boolean {
    if (lease === undefined || lease.endMs >= nowMs) {
      this.#delays.delete(key);
      return false;
    }
    const known = this.#delays.get(key);
    const delay = known?.endMs === lease.endMs ? known : { endMs: lease.endMs, seenMs: nowMs };
    this.#delays.set(key, delay);
    return nowMs - delay.seenMs >= lease.endMs - lease.renewedMs;
  }
}
