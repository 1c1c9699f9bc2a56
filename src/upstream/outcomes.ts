// How requests ended, each counted once.
import type { Reason } from '../core/reasons.ts';

/** The status of a reply that was passed on to its end, or why the agent answered itself or cut the reply. */
export type Outcome = number | Reason;

export class Outcomes {
  readonly counts = new Map<Outcome, number>();

  add(outcome: Outcome): void {
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
  }
}
