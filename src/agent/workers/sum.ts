// What several workers tell of a service, as one: counters are added, and the worst that any of them sees of an instance is shown.
import type {
  EndpointState,
  EndpointStatus,
  RequestCount,
  TrafficStatus,
  UsedServiceStatus,
} from '../../admin/view.ts';
import { Histogram } from '../../core/histogram.ts';

/** By service; of what cannot be added, such as the list's state, the first that tells of a service is right. */
export function sumUses(
  reports: readonly (readonly UsedServiceStatus[])[],
): readonly UsedServiceStatus[] {
  const byService = new Map<string, UsedServiceStatus[]>();
  for (const use of reports.flat()) {
    const uses = byService.get(use.service);
    if (uses === undefined) byService.set(use.service, [use]);
    else uses.push(use);
  }
  return [...byService.values()].flatMap(sumOf);
}

/** What remains of a worker that has ended: what it counted, and nothing that it held. */
export function countersOf(uses: readonly UsedServiceStatus[]): readonly UsedServiceStatus[] {
  return uses.map((use) => ({
    ...use,
    endpoints: [],
    traffic: { ...use.traffic, inFlight: 0, retryBudget: 0 },
  }));
}

function sumOf(uses: readonly UsedServiceStatus[]): UsedServiceStatus[] {
  const [first] = uses;
  if (first === undefined || uses.length === 1) return [...uses];
  return [
    {
      ...first,
      known: uses.some(({ known }) => known),
      endpoints: sumEndpoints(uses.map(({ endpoints }) => endpoints)),
      traffic: sumTraffic(uses.map(({ traffic }) => traffic)),
    },
  ];
}

function sumTraffic(all: readonly TrafficStatus[]): TrafficStatus {
  const total = (read: (traffic: TrafficStatus) => number): number => sum(all.map(read));
  return {
    requests: sumRequests(all.flatMap(({ requests }) => requests)),
    attempts: total(({ attempts }) => attempts),
    retries: total(({ retries }) => retries),
    ejections: total(({ ejections }) => ejections),
    retryBudget: total(({ retryBudget }) => retryBudget),
    inFlight: total(({ inFlight }) => inFlight),
    latency: sumLatency(all.map(({ latency }) => latency)),
  };
}

/** By outcome. */
export function sumRequests(requests: readonly RequestCount[]): RequestCount[] {
  const byOutcome = new Map<string, RequestCount>();
  for (const request of requests) {
    const key = `${request.code} ${request.reason ?? ''}`;
    const count = request.count + (byOutcome.get(key)?.count ?? 0);
    byOutcome.set(key, { ...request, count });
  }
  return [...byOutcome.values()];
}

function sumLatency(histograms: readonly Histogram[]): Histogram {
  const all = new Histogram();
  for (const { counts, sumMs, count } of histograms) {
    for (const [bucket, inBucket] of counts.entries()) {
      all.counts[bucket] = (all.counts[bucket] ?? 0) + inBucket;
    }
    all.sumMs += sumMs;
    all.count += count;
  }
  return all;
}

function sumEndpoints(lists: readonly (readonly EndpointStatus[])[]): EndpointStatus[] {
  const byId = new Map<string, EndpointStatus[]>();
  for (const endpoint of lists.flat()) {
    const seen = byId.get(endpoint.id);
    if (seen === undefined) byId.set(endpoint.id, [endpoint]);
    else seen.push(endpoint);
  }
  return [...byId.values()].flatMap(sumEndpoint);
}

const worstFirst: readonly EndpointState[] = ['ejected', 'probing', 'healthy'];

function sumEndpoint(seen: readonly EndpointStatus[]): EndpointStatus[] {
  const [worst] = [...seen].sort((a, b) => severity(a) - severity(b));
  if (worst === undefined) return [];
  const out = seen.filter(({ state }) => state !== 'healthy').length;
  const latenciesMs = seen.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs]));
  const total = (read: (endpoint: EndpointStatus) => number): number => sum(seen.map(read));
  const cause =
    worst.cause === null || out === seen.length
      ? worst.cause
      : `${worst.cause}, in ${out} of ${seen.length} workers`;
  return [
    {
      ...worst,
      cause,
      outstanding: total(({ outstanding }) => outstanding),
      latencyMs: latenciesMs.length === 0 ? null : sum(latenciesMs) / latenciesMs.length,
      attempts: total(({ attempts }) => attempts),
      failures: total(({ failures }) => failures),
      ejections: total(({ ejections }) => ejections),
    },
  ];
}

/** Of two that are ejected, the one that stays out longer is the worse. */
function severity({ state, ejectedForMs }: EndpointStatus): number {
  return worstFirst.indexOf(state) - (ejectedForMs ?? 0) / Number.MAX_SAFE_INTEGER;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
