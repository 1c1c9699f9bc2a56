// An AgentView that is a plain object: an agent beside `orders`, which calls `payments`.
import type {
  AgentView,
  EndpointStatus,
  Explanation,
  LifeStatus,
  UsedServiceStatus,
  WorkersStatus,
} from '../../src/admin/view.ts';
import { Histogram } from '../../src/core/histogram.ts';
import type { Instance } from '../../src/core/instance.ts';

const fakeRegistryUrl = 'redis://:***@127.0.0.1:6379/0';

/** The view with some answers replaced. */
export function fakeView(replaced: Partial<AgentView> = {}): AgentView {
  return {
    refresh: async () => undefined,
    agent: () => ({
      name: 'orders',
      version: '0.1.0',
      pid: 4711,
      startedAt: '2026-01-02T03:04:05.000Z',
      uptimeMs: 192_000,
      proxyUrl: 'http://127.0.0.1:4140',
      adminUrl: 'http://127.0.0.1:4190',
    }),
    life: () => ({ state: 'running', drain: null }),
    ready: () => ({ ready: true, reasons: [] }),
    registries: () => [
      {
        url: fakeRegistryUrl,
        registers: true,
        discovers: true,
        state: 'up',
        stateAgeMs: 190_000,
        lastError: { code: 'registry_unreachable', message: 'connection refused' },
      },
    ],
    localServices: () => [
      {
        service: 'orders',
        id: 'orders-1',
        address: '10.0.0.9:8080',
        health: { state: 'healthy', failing: [] },
        leases: [
          {
            registry: fakeRegistryUrl,
            state: 'active',
            lastError: null,
            renewalsOk: 60,
            renewalsFailed: 2,
            losses: 1,
          },
        ],
      },
    ],
    workers: () => null,
    usedServices: () => [fakeUse()],
    unknownRequests: () => [],
    explain: async (service, call) =>
      service === 'payments' ? { ...fakeExplanation(), ...call } : undefined,
    names: async () => ['orders', 'payments'],
    instances: async (service) => ({
      instances:
        service === 'payments' ? [fakeInstance('payments-a'), fakeInstance('payments-b')] : [],
      malformed: 0,
    }),
    drain: () => undefined,
    ...replaced,
  };
}

export function fakeInstance(id: string): Instance {
  return {
    service: 'payments',
    id,
    host: '10.0.0.1',
    port: id.charCodeAt(id.length - 1),
    weight: 1,
    tags: ['v2'],
    meta: { team: 'money' },
    zone: 'eu-1',
    startedAtMs: 1_700_000_000_000,
  };
}

export function fakeEndpoint(id: string, parts: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    id,
    address: `10.0.0.1:${id.charCodeAt(id.length - 1)}`,
    weight: 1,
    tags: ['v2'],
    zone: 'eu-1',
    version: null,
    state: 'healthy',
    ejectedForMs: null,
    cause: null,
    outstanding: 0,
    latencyMs: 3.25,
    attempts: 10,
    failures: 0,
    ejections: 0,
    ...parts,
  };
}

export function fakeUse(parts: Partial<UsedServiceStatus> = {}): UsedServiceStatus {
  const latency = new Histogram();
  for (const valueMs of [0.5, 3, 3, 7, 40, 20_000]) latency.observe(valueMs);
  return {
    service: 'payments',
    known: true,
    balance: 'p2c',
    snapshot: { state: 'live', ageMs: 1500, instances: 2, held: 0, malformed: 1 },
    endpoints: [
      fakeEndpoint('payments-a'),
      fakeEndpoint('payments-b', { state: 'ejected', ejectedForMs: 4000, cause: 'refused' }),
    ],
    traffic: {
      requests: [
        { code: 200, reason: null, count: 5 },
        { code: 502, reason: 'connect_failed', count: 1 },
      ],
      attempts: 8,
      retries: 2,
      ejections: 3,
      retryBudget: 11,
      inFlight: 4,
      latency,
    },
    ...parts,
  };
}

/** Two workers, one of which has just been started in the place of a lost one. */
export function fakeWorkers(): WorkersStatus {
  const work = { connections: 3, requests: 5, inFlight: 1 };
  const use = { residentBytes: 6e7, heapUsedBytes: 1e7, cpuMs: 500 };
  return {
    wanted: 2,
    lost: 1,
    endedCpuMs: 250,
    processes: [
      { pid: 4712, state: 'serving', ...work, ...use, eventLoopLagMs: 4 },
      { pid: 4714, state: 'starting', ...work, ...use, eventLoopLagMs: 1 },
    ],
  };
}

export function fakeDrain(active: string): LifeStatus {
  return {
    state: 'draining',
    drain: {
      cause: 'admin',
      elapsedMs: 1200,
      budgetMs: 25_000,
      phases: [
        { phase: 'announce', state: 'done', outcome: 'done', durationMs: 1 },
        { phase: active, state: 'active', outcome: null, durationMs: 1199 },
        { phase: 'exit', state: 'waiting', outcome: null, durationMs: null },
      ],
    },
  };
}

export function fakeExplanation(): Explanation {
  return {
    service: 'payments',
    tag: null,
    balance: 'p2c',
    snapshot: { state: 'live', ageMs: 1500, instances: 2, held: 0, malformed: 0 },
    chosen: 'payments-a',
    reason: null,
    summary: 'would call payments-a at 10.0.0.1:97',
    instances: [
      { id: 'payments-a', address: '10.0.0.1:97', verdict: 'chosen', because: 'chosen by p2c' },
      {
        id: 'payments-b',
        address: '10.0.0.1:98',
        verdict: 'excluded',
        because: 'ejected (refused), next probe in 4000 ms',
      },
    ],
  };
}
