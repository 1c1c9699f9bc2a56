// How long the leases of the local services last, and how often they are renewed.
import type { LeaseConfig } from '../config/config.ts';
import type { Capabilities } from '../registry/driver.ts';
import type { LeaseTiming } from '../registry/lease.ts';
import { requireSecondTry } from '../registry/lease-times.ts';

/** What is configured, else the registry's own. Throws a ConfigError for a heartbeat that comes too late to keep a lease. */
export function leaseTiming(config: LeaseConfig, capabilities: Capabilities): LeaseTiming {
  const ttlMs = config.ttlMs ?? capabilities.ttlMs;
  const heartbeatMs = config.heartbeatMs ?? capabilities.heartbeatMs;
  requireSecondTry({ ttlMs, heartbeatMs }, "--heartbeat with the registry's own ttl");
  return { ttlMs, heartbeatMs };
}
