// A called service as the admin API shows it.
import type {
  EndpointState,
  EndpointStatus,
  RequestCount,
  SnapshotStatus,
  UsedServiceStatus,
} from '../admin/view.ts';
import { reasons } from '../core/reasons.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { EjectionState } from '../resilience/ejection.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Outcomes } from '../upstream/outcomes.ts';
import type { Upstream } from '../upstream/upstream.ts';

const endpointStates = {
  in: 'healthy',
  ejected: 'ejected',
  probing: 'probing',
} as const satisfies Record<EjectionState['kind'], EndpointState>;

export function showUpstream(
  upstream: Upstream,
  malformed: number,
  nowMs: number,
): UsedServiceStatus {
  const { counters, budget } = upstream;
  return {
    service: upstream.service,
    known: upstream.known,
    balance: upstream.policy.balance,
    snapshot: showSnapshot(upstream.snapshot, malformed, nowMs),
    endpoints: [...upstream.endpoints].map((endpoint) => showEndpoint(endpoint, nowMs)),
    traffic: {
      requests: countRequests(counters.outcomes),
      attempts: counters.attempts,
      retries: counters.retries,
      ejections: counters.ejections,
      retryBudget: budget.left(nowMs),
      inFlight: counters.inFlight,
      latency: counters.latency,
    },
  };
}

export function showSnapshot(snapshot: Snapshot, malformed: number, nowMs: number): SnapshotStatus {
  const { state, instances, confirmedAtMs, held } = snapshot;
  return {
    state,
    ageMs: state === 'unknown' ? null : Math.max(0, Math.round(nowMs - confirmedAtMs)),
    instances: instances.length,
    held,
    malformed,
  };
}

function showEndpoint(endpoint: Endpoint, nowMs: number): EndpointStatus {
  const { instance, address, ejection, counters, outstanding } = endpoint;
  const { state } = ejection;
  return {
    id: instance.id,
    address,
    weight: instance.weight,
    tags: instance.tags,
    zone: instance.zone ?? null,
    version: instance.version ?? null,
    state: endpointStates[state.kind],
    ejectedForMs: state.kind === 'ejected' ? Math.max(0, Math.round(state.untilMs - nowMs)) : null,
    cause: state.kind === 'in' ? null : state.cause,
    outstanding,
    latencyMs: endpoint.latencyMs(nowMs) ?? null,
    ...counters,
  };
}

export function countRequests({ counts }: Outcomes): RequestCount[] {
  return [...counts].map(([outcome, count]) =>
    typeof outcome === 'number'
      ? { code: outcome, reason: null, count }
      : { code: reasons[outcome].status, reason: outcome, count },
  );
}
