// How long a lease lasts and how often it is renewed: the one rule, and what a registry URL may say of it.
import { formatDurationMs } from '../core/durations.ts';
import { ConfigError } from '../core/errors.ts';

export interface LeaseTimes {
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** Renewals that may fail in a row without losing the lease need at least this ratio. */
const heartbeatsPerTtlMin = 2;

/** Throws a ConfigError for a heartbeat that leaves no second try. `where` says what gave the times. */
export function requireSecondTry({ ttlMs, heartbeatMs }: LeaseTimes, where: string): void {
  if (heartbeatMs > 0 && heartbeatMs * heartbeatsPerTtlMin <= ttlMs) return;
  const [heartbeat, ttl] = [formatDurationMs(heartbeatMs), formatDurationMs(ttlMs)];
  throw new ConfigError(
    `${where}: heartbeat must be at most half of ttl, but is ${heartbeat} of ${ttl}`,
  );
}

/**
 * From the parameters `ttl` and `heartbeat`, in milliseconds; a `ttl` alone gives a heartbeat of a third of it. Throws a
 * ConfigError for a heartbeat that leaves no second try.
 */
export function readLeaseTimes(
  { ttl, heartbeat }: { readonly ttl?: number; readonly heartbeat?: number },
  defaults: LeaseTimes,
  where: string,
): LeaseTimes {
  const ttlMs = ttl ?? defaults.ttlMs;
  const heartbeatMs = heartbeat ?? (ttl === undefined ? defaults.heartbeatMs : ttl / 3);
  requireSecondTry({ ttlMs, heartbeatMs }, where);
  return { ttlMs, heartbeatMs };
}
