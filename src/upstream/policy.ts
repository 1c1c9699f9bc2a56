// How one service is called: every limit, timeout and choice, with its default.
import type { BalancerName } from '../balancing/balancers.ts';

export interface UpstreamPolicy {
  /** Name in the balancers' table. */
  readonly balance: BalancerName;
  readonly connectTimeoutMs: number;
  /** From the request's last byte to the reply's head; 0 is none. Bodies and streams have no timeout. */
  readonly responseTimeoutMs: number;
  /** From the request's head to the reply's head over all attempts; 0 is none. */
  readonly timeoutMs: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Statuses that count as "try another instance" for requests that may be repeated. */
  readonly retryStatuses: readonly number[];
  /** Retries allowed as a share of requests over the last 10 s, and the number a second that is always allowed. */
  readonly retryRatio: number;
  readonly retriesPerSecondMin: number;
  /** A body up to this size is kept for a retry; a longer one makes its request unrepeatable. */
  readonly replayBytesMax: number;
  /** An unused connection is closed after this time, or before the server's own hint. */
  readonly idleTimeoutMs: number;
  /** How long a call to a service without instances waits for the first one. */
  readonly waitTimeoutMs: number;
  readonly inFlightMax: number;
  /** Consecutive 5xx replies or timeouts that eject an instance; a refused connection ejects at once. */
  readonly ejectAfterFailures: number;
  /** First ejection; doubles with each further one up to the maximum. */
  readonly ejectionMinMs: number;
  readonly ejectionMaxMs: number;
}

export const defaultPolicy: UpstreamPolicy = {
  balance: 'p2c',
  connectTimeoutMs: 1000,
  responseTimeoutMs: 15_000,
  timeoutMs: 0,
  retries: 2,
  retryStatuses: [503],
  retryRatio: 0.2,
  retriesPerSecondMin: 10,
  replayBytesMax: 65_536,
  idleTimeoutMs: 4000,
  waitTimeoutMs: 3000,
  inFlightMax: 1024,
  ejectAfterFailures: 5,
  ejectionMinMs: 1000,
  ejectionMaxMs: 60_000,
};
