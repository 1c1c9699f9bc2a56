// How long the leases of the local services last, and how often they are renewed.
import type { LeaseConfig } from '../config/config.ts';
import { formatDurationMs } from '../core/durations.ts';
import { ConfigError } from '../core/errors.ts';
import type { Capabilities } from '../registry/driver.ts';
import type { LeaseTiming } from '../registry/lease.ts';

/** What is configured, else the registry's own. Throws a ConfigError for a heartbeat that comes too late to keep a lease. */
export function leaseTiming(config: LeaseConfig, capabilities: Capabilities): LeaseTiming {
  const ttlMs = config.ttlMs ?? capabilities.ttlMs;
  const heartbeatMs = config.heartbeatMs ?? capabilities.heartbeatMs;
  if (heartbeatMs < ttlMs) return { ttlMs, heartbeatMs };
  const [heartbeat, ttl] = [formatDurationMs(heartbeatMs), formatDurationMs(ttlMs)];
  throw new ConfigError(
    `--heartbeat ${heartbeat}: must be shorter than the registry's TTL of ${ttl}`,
  );
}
