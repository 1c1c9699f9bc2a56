// The agent's numbers as Prometheus text. Loaded at the first scrape.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { latencyBoundsMs, type Histogram } from '../core/histogram.ts';
import { countByState } from './documents.ts';
import { Exposition, type Labels } from './exposition.ts';
import type {
  AgentView,
  LocalServiceStatus,
  RequestCount,
  UsedServiceStatus,
  WorkersStatus,
} from './view.ts';

/** Stands for all names that no service has; it is no service name itself. */
const unknownServices = '_unknown';

/** What the process itself uses. */
export interface ProcessUse {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly cpuMs: number;
  /** How long one turn of the event loop took when it was measured. */
  readonly eventLoopLagMs: number;
}

export async function measureProcess(clock: Clock): Promise<ProcessUse> {
  const startMs = clock.nowMs();
  await nextTurn();
  const eventLoopLagMs = clock.nowMs() - startMs;
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1000;
  return { residentBytes: rss, heapUsedBytes: heapUsed, cpuMs, eventLoopLagMs };
}

/**
 * The text of one scrape. Labels come only from services that are registered here or in use, their endpoints' states, and the
 * list of reason codes: their number does not grow with the registry or with the names that callers invent.
 */
export function renderMetrics(view: AgentView, use: ProcessUse): string {
  const page = new Exposition();
  renderAgent(page, view);
  const workers = view.workers();
  renderProcess(page, workers === null ? use : addWorkers(use, workers));
  if (workers !== null) renderWorkers(page, workers);
  renderLocalServices(page, view.localServices());
  const used = view.usedServices();
  const known = used.filter((entry) => entry.known);
  renderSnapshots(page, known);
  renderRequests(page, known, view.unknownRequests());
  renderTraffic(page, known);
  return page.text();
}

function renderAgent(page: Exposition, view: AgentView): void {
  const agent = view.agent();
  page.family('agent_info', 'gauge', 'Constant 1, labelled with the version of the agent.');
  page.sample({ version: agent.version }, 1);
  page.family('uptime_seconds', 'gauge', 'Time since the start of the agent.');
  page.sample({}, agent.uptimeMs / 1000);
  page.family('ready', 'gauge', '1 when the agent is ready.');
  page.sample({}, view.ready().ready ? 1 : 0);
  page.family('life_state', 'gauge', '1 for the state of the life cycle that the agent is in.');
  page.oneOf({}, ['starting', 'running', 'draining', 'stopped'], view.life().state);
  const registries = view.registries();
  page.family('registry_up', 'gauge', '1 when reads and writes of the registry succeed.');
  for (const { url, state } of registries) page.sample({ registry: url }, state === 'up' ? 1 : 0);
  page.family('registry_state', 'gauge', '1 for the state that the registry is in.');
  for (const { url, state } of registries) {
    page.oneOf({ registry: url }, ['unknown', 'up', 'degraded', 'down'], state);
  }
}

/** The agent is all of its processes; the slowest event loop is the one to look at. */
function addWorkers(own: ProcessUse, { endedCpuMs, processes }: WorkersStatus): ProcessUse {
  const all = [own, ...processes];
  const sum = (read: (use: ProcessUse) => number): number =>
    all.reduce((total, use) => total + read(use), 0);
  return {
    residentBytes: sum(({ residentBytes }) => residentBytes),
    heapUsedBytes: sum(({ heapUsedBytes }) => heapUsedBytes),
    cpuMs: endedCpuMs + sum(({ cpuMs }) => cpuMs),
    eventLoopLagMs: Math.max(...all.map(({ eventLoopLagMs }) => eventLoopLagMs)),
  };
}

function renderWorkers(page: Exposition, { lost, processes }: WorkersStatus): void {
  page.family('workers', 'gauge', 'Processes that carry the calls, by state.');
  for (const state of ['starting', 'serving', 'draining'] as const) {
    const count = processes.filter((worker) => worker.state === state).length;
    page.sample({ state }, count);
  }
  page.family('workers_lost_total', 'counter', 'Workers that ended unasked and were replaced.');
  page.sample({}, lost);
}

function renderProcess(page: Exposition, use: ProcessUse): void {
  page.family(
    'process_resident_memory_bytes',
    'gauge',
    'Memory of the agent process, and its workers.',
  );
  page.sample({}, use.residentBytes);
  page.family('process_heap_used_bytes', 'gauge', 'Memory of live JavaScript objects.');
  page.sample({}, use.heapUsedBytes);
  page.family('process_cpu_seconds_total', 'counter', 'Processor time used by the agent.');
  page.sample({}, use.cpuMs / 1000);
  page.family('event_loop_lag_seconds', 'gauge', 'Duration of one event loop turn at the scrape.');
  page.sample({}, use.eventLoopLagMs / 1000);
}

function renderLocalServices(page: Exposition, local: readonly LocalServiceStatus[]): void {
  // Not the id, which is new with every restart.
  const each = local.map((entry) => ({
    labels: { service: entry.service, address: entry.address },
    healthy: entry.health.state === 'healthy' ? 1 : 0,
    leases: entry.leases,
  }));
  const leases = each.flatMap(({ labels, leases: all }) =>
    all.map((lease) => ({ labels: { ...labels, registry: lease.registry }, lease })),
  );
  page.family(
    'registered',
    'gauge',
    '1 while the local service is registered, as far as is known.',
  );
  for (const { labels, lease } of leases) {
    page.sample(labels, lease.state === 'active' || lease.state === 'suspect' ? 1 : 0);
  }
  page.family('healthy', 'gauge', '1 while the health checks of the local service pass.');
  for (const { labels, healthy } of each) page.sample(labels, healthy);
  page.family('heartbeats_total', 'counter', 'Renewals of the lease by result.');
  for (const { labels, lease } of leases) {
    page.sample({ ...labels, result: 'ok' }, lease.renewalsOk);
    page.sample({ ...labels, result: 'failed' }, lease.renewalsFailed);
  }
  page.family('lease_losses_total', 'counter', 'How often the registry had lost the record.');
  for (const { labels, lease } of leases) page.sample(labels, lease.losses);
}

function renderSnapshots(page: Exposition, used: readonly UsedServiceStatus[]): void {
  page.family('snapshot_state', 'gauge', '1 for the state of the list of instances.');
  for (const { service, snapshot } of used) {
    page.oneOf({ service }, ['unknown', 'live', 'stale'], snapshot.state);
  }
  page.family('snapshot_age_seconds', 'gauge', 'Time since the registry confirmed the list.');
  for (const { service, snapshot } of used) {
    if (snapshot.ageMs !== null) page.sample({ service }, snapshot.ageMs / 1000);
  }
  page.family('snapshot_held', 'gauge', 'Instances kept although the registry lists them no more.');
  for (const { service, snapshot } of used) page.sample({ service }, snapshot.held);
  page.family('snapshot_malformed', 'gauge', 'Records of the registry that are no instances.');
  for (const { service, snapshot } of used) page.sample({ service }, snapshot.malformed);
  page.family('endpoints', 'gauge', 'Instances as the proxy sees them, by state.');
  for (const { service, endpoints } of used) {
    for (const [state, count] of Object.entries(countByState(endpoints))) {
      page.sample({ service, state }, count);
    }
  }
}

function renderRequests(
  page: Exposition,
  known: readonly UsedServiceStatus[],
  unknown: readonly RequestCount[],
): void {
  page.family('requests_total', 'counter', 'Finished requests by status and reason code.');
  for (const { service, traffic } of known) {
    for (const request of traffic.requests) {
      page.sample(requestLabels(service, request), request.count);
    }
  }
  for (const request of unknown) {
    page.sample(requestLabels(unknownServices, request), request.count);
  }
}

function requestLabels(service: string, { code, reason }: RequestCount): Labels {
  return { service, code: String(code), reason: reason ?? '' };
}

function renderTraffic(page: Exposition, used: readonly UsedServiceStatus[]): void {
  page.family('attempts_total', 'counter', 'Attempts to send a request to an instance.');
  for (const { service, traffic } of used) page.sample({ service }, traffic.attempts);
  page.family('retries_total', 'counter', 'Attempts after the first of a request.');
  for (const { service, traffic } of used) page.sample({ service }, traffic.retries);
  page.family('ejections_total', 'counter', 'How often an instance was taken out of rotation.');
  for (const { service, traffic } of used) page.sample({ service }, traffic.ejections);
  page.family('retry_budget', 'gauge', 'Retries that would be allowed now.');
  for (const { service, traffic } of used) page.sample({ service }, traffic.retryBudget);
  page.family('requests_in_flight', 'gauge', 'Requests that have not ended.');
  for (const { service, traffic } of used) page.sample({ service }, traffic.inFlight);
  page.family(
    'request_duration_seconds',
    'histogram',
    "From a request's head to its reply's head.",
  );
  for (const { service, traffic } of used) renderHistogram(page, { service }, traffic.latency);
}

function renderHistogram(page: Exposition, labels: Labels, histogram: Histogram): void {
  let cumulative = 0;
  for (const [index, boundMs] of latencyBoundsMs.entries()) {
    cumulative += histogram.counts[index] ?? 0;
    page.sample({ ...labels, le: String(boundMs / 1000) }, cumulative, '_bucket');
  }
  page.sample({ ...labels, le: '+Inf' }, histogram.count, '_bucket');
  page.sample(labels, histogram.sumMs / 1000, '_sum');
  page.sample(labels, histogram.count, '_count');
}
