// What an Upstream counts: plain numbers, added to in place, read by the metrics page.
import { Histogram } from '../core/histogram.ts';
import type { Reason } from '../core/reasons.ts';

export class UpstreamCounters {
  requests = 0;
  inFlight = 0;
  attempts = 0;
  retries = 0;
  ejections = 0;
  /** Replies of instances that were passed on, by status. */
  readonly replies = new Map<number, number>();
  /** Requests that the agent answered or ended itself, by reason. */
  readonly reasons = new Map<Reason, number>();
  /** Time to the reply's head, over all attempts of a request. */
  readonly latency = new Histogram();

  replied(status: number): void {
    this.replies.set(status, (this.replies.get(status) ?? 0) + 1);
  }

  failed(reason: Reason): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }
}
