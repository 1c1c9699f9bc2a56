// The lease time and heartbeat interval that a registry URL may give.
import { ConfigError } from '../core/errors.ts';

export interface LeaseTimes {
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** Renewals that may fail in a row without losing the lease need at least this ratio. */
const heartbeatsPerTtlMin = 2;

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
  if (heartbeatMs <= 0 || heartbeatMs * heartbeatsPerTtlMin > ttlMs) {
    throw new ConfigError(`${where}: heartbeat must be at most half of ttl`);
  }
  return { ttlMs, heartbeatMs };
}
