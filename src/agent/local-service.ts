// A LocalService: an app beside this agent, with the checks of its health and its places in the registries.
import { randomBytes } from 'node:crypto';
import type { ServiceConfig } from '../config/config.ts';
import type { Address } from '../core/address.ts';
import type { Instance } from '../core/instance.ts';
import type { HealthCheck } from '../health/health-check.ts';
import type { Lease } from '../registry/lease.ts';
import type { Registrar } from '../registry/registrar.ts';

export interface LocalService {
  readonly instance: Instance;
  /** Where the app listens on this host; others may reach it through another port. */
  readonly port: number;
  readonly health: HealthCheck;
  /** One for each registry in which the agent registers it. */
  readonly leases: readonly Lease[];
  readonly registrar: Registrar;
}

/** New for each process, so that a restarted agent is never taken for the one before it. */
export function newBootId(): string {
  return randomBytes(4).toString('hex');
}

export interface Boot {
  readonly bootId: string;
  readonly startedAtMs: number;
}

/** The record of a configured service. */
export function describeInstance(service: ServiceConfig, address: Address, boot: Boot): Instance {
  const { name, tags, meta, weight, version, zone } = service;
  const host = address.host.replaceAll(':', '-');
  return {
    service: name,
    id: service.id ?? `${name}-${host}-${address.port}-${boot.bootId}`,
    host: address.host,
    port: address.port,
    weight,
    tags,
    meta,
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
    startedAtMs: boot.startedAtMs,
  };
}
