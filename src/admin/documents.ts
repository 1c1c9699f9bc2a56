// The JSON documents of the admin API: which keys there are, and nothing else. Keys are never left out; `null` is "none".
import { formatAddress } from '../core/address.ts';
import type { Histogram } from '../core/histogram.ts';
import { latencyBoundsMs } from '../core/histogram.ts';
import type { Instance } from '../core/instance.ts';
import type { SnapshotState } from '../core/snapshot.ts';
import type {
  AgentStatus,
  AgentView,
  EndpointState,
  EndpointStatus,
  FailureStatus,
  LifeStatus,
  LocalServiceStatus,
  Readiness,
  RegistryReading,
  RegistryStatus,
  RequestCount,
  SnapshotStatus,
  UsedServiceStatus,
  WorkersStatus,
} from './view.ts';

/** `GET /v1/status` */
export interface StatusDocument {
  readonly agent: AgentStatus;
  readonly life: LifeStatus;
  readonly readiness: Readiness;
  readonly registries: readonly RegistryStatus[];
  readonly local: readonly LocalServiceStatus[];
  readonly workers: WorkersStatus | null;
  readonly services: readonly UseSummaryDocument[];
}

export interface UseSummaryDocument {
  readonly service: string;
  readonly known: boolean;
  readonly balance: string;
  readonly snapshot: SnapshotStatus;
  readonly endpoints: Readonly<Record<EndpointState, number>>;
  readonly traffic: TrafficDocument;
}

export interface UseDocument {
  readonly service: string;
  readonly known: boolean;
  readonly balance: string;
  readonly snapshot: SnapshotStatus;
  readonly endpoints: readonly EndpointStatus[];
  readonly traffic: TrafficDocument;
}

export interface TrafficDocument {
  readonly requests: readonly RequestCount[];
  readonly attempts: number;
  readonly retries: number;
  readonly ejections: number;
  readonly retryBudget: number;
  readonly inFlight: number;
  readonly latency: LatencyDocument;
}

/** Quantiles are upper bounds of histogram buckets; null without observations, or when above the last bound. */
export interface LatencyDocument {
  readonly count: number;
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** `GET /v1/services` */
export interface ServicesDocument {
  readonly services: readonly ServiceEntryDocument[];
  /** Why the registry's names are missing, if they are. */
  readonly registryError: FailureStatus | null;
}

export interface ServiceEntryDocument {
  readonly name: string;
  /** Registered by this agent. */
  readonly local: boolean;
  readonly inUse: boolean;
  /** Known only of services in use, as is `state`. */
  readonly instances: number | null;
  readonly state: SnapshotState | null;
}

/** `GET /v1/services/:name` */
export interface ServiceDocument {
  readonly service: string;
  /** What the registry answers now; empty when it could not be asked. */
  readonly instances: readonly InstanceDocument[];
  readonly malformed: number;
  readonly registryError: FailureStatus | null;
  /** The service as this agent calls it; null when it does not. */
  readonly use: UseDocument | null;
}

export interface InstanceDocument {
  readonly id: string;
  readonly address: string;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly zone: string | null;
  readonly version: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string | null;
}

/** `POST /v1/drain` */
export interface DrainDocument {
  readonly life: LifeStatus;
}

export function statusDocument(view: AgentView): StatusDocument {
  return {
    agent: view.agent(),
    life: view.life(),
    readiness: view.ready(),
    registries: view.registries(),
    local: view.localServices(),
    workers: view.workers(),
    services: view.usedServices().map((used) => ({
      ...useDocument(used),
      endpoints: countByState(used.endpoints),
    })),
  };
}

/** Of all names that the registry, the registrations and the calls of this agent give, sorted. */
export function servicesDocument(
  names: readonly string[],
  view: Pick<AgentView, 'localServices' | 'usedServices'>,
  registryError: FailureStatus | null,
): ServicesDocument {
  const local = new Set(view.localServices().map(({ service }) => service));
  const used = new Map(view.usedServices().map((status) => [status.service, status.snapshot]));
  const all = [...new Set([...names, ...local, ...used.keys()])].sort();
  const services = all.map((name) => {
    const snapshot = used.get(name);
    return {
      name,
      local: local.has(name),
      inUse: snapshot !== undefined,
      instances: snapshot?.instances ?? null,
      state: snapshot?.state ?? null,
    };
  });
  return { services, registryError };
}

export function serviceDocument(
  service: string,
  reading: RegistryReading,
  used: UsedServiceStatus | undefined,
  registryError: FailureStatus | null,
): ServiceDocument {
  return {
    service,
    instances: reading.instances.map(instanceDocument),
    malformed: reading.malformed,
    registryError,
    use: used === undefined ? null : useDocument(used),
  };
}

function instanceDocument(instance: Instance): InstanceDocument {
  const { id, weight, tags, meta, zone, version, startedAtMs } = instance;
  return {
    id,
    address: formatAddress(instance),
    weight,
    tags,
    meta,
    zone: zone ?? null,
    version: version ?? null,
    startedAt: isoTime(startedAtMs),
  };
}

/** How many endpoints are in each state. */
export function countByState(endpoints: readonly EndpointStatus[]): Record<EndpointState, number> {
  const counts = { healthy: 0, ejected: 0, probing: 0 };
  for (const { state } of endpoints) counts[state]++;
  return counts;
}

function useDocument(used: UsedServiceStatus): UseDocument {
  const { service, known, balance, snapshot, endpoints, traffic } = used;
  return {
    service,
    known,
    balance,
    snapshot,
    endpoints,
    traffic: { ...traffic, latency: latencyDocument(traffic.latency) },
  };
}

function latencyDocument(histogram: Histogram): LatencyDocument {
  const { count, sumMs } = histogram;
  return {
    count,
    meanMs: count === 0 ? null : sumMs / count,
    p50Ms: quantileMs(histogram, 0.5),
    p99Ms: quantileMs(histogram, 0.99),
  };
}

function quantileMs({ counts, count }: Histogram, share: number): number | null {
  if (count === 0) return null;
  let seen = 0;
  const bucket = counts.findIndex((inBucket) => (seen += inBucket) >= share * count);
  return latencyBoundsMs[bucket] ?? null;
}

/** A foreign record may hold any number, also one that is no time. */
function isoTime(wallMs: number | undefined): string | null {
  if (wallMs === undefined || !(Math.abs(wallMs) <= 8.64e15)) return null;
  return new Date(wallMs).toISOString();
}
