// What an Upstream counts: plain numbers, added to in place, read by the metrics page.
import { Histogram } from '../core/histogram.ts';
import { Outcomes } from './outcomes.ts';

export class UpstreamCounters {
  inFlight = 0;
  attempts = 0;
  retries = 0;
  ejections = 0;
  readonly outcomes = new Outcomes();
  /** Time to the reply's head, over all attempts of a request. */
  readonly latency = new Histogram();
}
