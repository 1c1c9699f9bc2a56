// What the admin API may know of the agent. The composition root implements it; nothing here reaches a socket.
import type { Histogram } from '../core/histogram.ts';
import type { Instance } from '../core/instance.ts';
import type { Reason } from '../core/reasons.ts';
import type { SnapshotState } from '../core/snapshot.ts';

/**
 * The agent as the admin API sees it. Every value is a copy of one moment, made when it is asked for, and appears in the JSON
 * as it is: so `null` means "none" (a key is never left out), URLs hold no password, and nothing secret belongs in here.
 */
export interface AgentView {
  /**
   * Brings what `workers` and `usedServices` tell to this moment: they are of the latest refresh. Takes a bounded time, and never
   * rejects; a worker that does not answer stays as it was.
   */
  refresh(): Promise<void>;
  agent(): AgentStatus;
  life(): LifeStatus;
  ready(): Readiness;
  /** In the order of the configuration. */
  registries(): readonly RegistryStatus[];
  /** The services that this agent registers. */
  localServices(): readonly LocalServiceStatus[];
  /** Null when the agent's own process carries the calls. */
  workers(): WorkersStatus | null;
  /** The services that were called through this agent, or are configured to be: a bounded number. */
  usedServices(): readonly UsedServiceStatus[];
  /** Finished requests for services that the registry had not named when they ended. A number never falls. */
  unknownRequests(): readonly RequestCount[];
  /**
   * Which instance a call made now would go to, without making it. Undefined when no service of that name is known. A service
   * that is not in use yet may be looked up first. Rejects with a RegistryError when that fails.
   */
  explain(
    service: string,
    call: ExplainedCall,
    signal: AbortSignal,
  ): Promise<Explanation | undefined>;
  /** Names of all services that the registry knows. Rejects with a RegistryError. */
  names(signal: AbortSignal): Promise<readonly string[]>;
  /** Asks the registry once, whether or not the service is in use. Rejects with a RegistryError. */
  instances(service: string, signal: AbortSignal): Promise<RegistryReading>;
  /** Begins the drain; does nothing when it has begun. */
  drain(): void;
}

export interface AgentStatus {
  /** Name of the first local service; null for an agent that only proxies. */
  readonly name: string | null;
  readonly version: string;
  readonly pid: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly uptimeMs: number;
  /** Null until the proxy listens, which it does after the admin API. */
  readonly proxyUrl: string | null;
  readonly adminUrl: string;
}

/**
 * - `starting`: listens, but the app or a registration is not there yet.
 * - `running`: all that was configured has been reached once; it says nothing about health now.
 * - `draining`, `stopped`: as in the drain's phases.
 */
export type LifeState = 'starting' | 'running' | 'draining' | 'stopped';

export interface LifeStatus {
  readonly state: LifeState;
  readonly drain: DrainStatus | null;
}

export interface DrainStatus {
  /** What began it: a signal's name, `request` for the drain command, `app_exit` or `failure`. */
  readonly cause: string;
  readonly elapsedMs: number;
  readonly budgetMs: number;
  /** In their order. */
  readonly phases: readonly DrainPhaseStatus[];
}

export interface DrainPhaseStatus {
  /** `announce`, `deregister`, `lame_duck`, `stop_app`, `finish` or `exit`. */
  readonly phase: string;
  readonly state: 'waiting' | 'active' | 'done';
  /** How it ended: `cut` when its budget was spent, `forced` by a second signal; null before that. */
  readonly outcome: 'done' | 'failed' | 'cut' | 'forced' | 'skipped' | null;
  /** Time spent in the phase so far; null before it began. */
  readonly durationMs: number | null;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why it is not ready, one sentence each; empty when it is. */
  readonly reasons: readonly string[];
}

export interface RegistryStatus {
  readonly url: string;
  /** Whether this agent registers its services there. */
  readonly registers: boolean;
  /** Whether instances found there are called. */
  readonly discovers: boolean;
  /** `unknown`: nothing was asked yet. `degraded`: of reads and writes, one kind fails. `down`: nothing succeeds. */
  readonly state: 'unknown' | 'up' | 'degraded' | 'down';
  /** How long it has been in this state. */
  readonly stateAgeMs: number;
  /** The latest failure, also when it is over. */
  readonly lastError: FailureStatus | null;
}

export interface FailureStatus {
  readonly code: string;
  readonly message: string;
}

export interface LocalServiceStatus {
  readonly service: string;
  readonly id: string;
  readonly address: string;
  readonly health: HealthStatus;
  /** One for each registry that this agent registers in; none where others register the service. */
  readonly leases: readonly LeaseStatus[];
}

export interface HealthStatus {
  /** `unknown`: not checked often enough to tell. */
  readonly state: 'unknown' | 'healthy' | 'unhealthy';
  /** The probes whose last run failed; some may fail while the state is still `healthy`. */
  readonly failing: readonly { readonly probe: string; readonly cause: string }[];
}

export interface LeaseStatus {
  /** The registry's URL. */
  readonly registry: string;
  /**
   * - `idle`: never registered.
   * - `acquiring`: not registered as far as is known; being put there.
   * - `active`: registered.
   * - `suspect`: registered, but the latest heartbeats failed.
   * - `releasing`, `released`: being removed, and not registered any more.
   */
  readonly state: 'idle' | 'acquiring' | 'active' | 'suspect' | 'releasing' | 'released';
  /** Why it cannot be acquired or renewed; null while that succeeds. */
  readonly lastError: FailureStatus | null;
  readonly renewalsOk: number;
  readonly renewalsFailed: number;
  /** How often the registry answered that it has no such record. */
  readonly losses: number;
}

/** The processes that carry the calls. */
export interface WorkersStatus {
  /** How many there should be. */
  readonly wanted: number;
  /** How many have ended unasked since the start of the agent. */
  readonly lost: number;
  /** Processor time of those that have ended, as far as they had told of it. */
  readonly endedCpuMs: number;
  readonly processes: readonly WorkerStatus[];
}

export interface WorkerStatus {
  readonly pid: number;
  readonly state: 'starting' | 'serving' | 'draining';
  /** Client connections, idle ones among them. */
  readonly connections: number;
  /** Finished since the start of this worker. */
  readonly requests: number;
  readonly inFlight: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly cpuMs: number;
  readonly eventLoopLagMs: number;
}

export interface UsedServiceStatus {
  readonly service: string;
  /** The registry has named an instance of it at some time, or the configuration names it: no mere misspelling. */
  readonly known: boolean;
  /** Name of the balancing policy. */
  readonly balance: string;
  readonly snapshot: SnapshotStatus;
  readonly endpoints: readonly EndpointStatus[];
  readonly traffic: TrafficStatus;
}

export interface SnapshotStatus {
  readonly state: SnapshotState;
  /** Since the registry last confirmed the list; null when it never did. */
  readonly ageMs: number | null;
  readonly instances: number;
  /** Instances kept although the registry no longer lists them. */
  readonly held: number;
  /** Foreign records that are no instances. */
  readonly malformed: number;
}

export type EndpointState = 'healthy' | 'ejected' | 'probing';

export interface EndpointStatus {
  readonly id: string;
  readonly address: string;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly zone: string | null;
  readonly version: string | null;
  readonly state: EndpointState;
  /** Time until an ejected endpoint is probed; null for the others. */
  readonly ejectedForMs: number | null;
  /** The failure that ejected it; null when healthy. */
  readonly cause: string | null;
  /** Requests in flight to it. */
  readonly outstanding: number;
  /** Moving average; null before the first reply. */
  readonly latencyMs: number | null;
  readonly attempts: number;
  readonly failures: number;
  readonly ejections: number;
}

/** Counted since the agent's start; a number never falls, except `inFlight` and `retryBudget`. */
export interface TrafficStatus {
  /** Finished requests by outcome. */
  readonly requests: readonly RequestCount[];
  readonly attempts: number;
  readonly retries: number;
  /** Ejections of endpoints, including those that have left. */
  readonly ejections: number;
  /** Retries that would be allowed now. */
  readonly retryBudget: number;
  readonly inFlight: number;
  /** Of requests from their head to the reply's head. */
  readonly latency: Histogram;
}

export interface RequestCount {
  /** HTTP status that the caller got; 499 when it went away. */
  readonly code: number;
  /** Set when the agent itself answered. */
  readonly reason: Reason | null;
  readonly count: number;
}

export interface RegistryReading {
  readonly instances: readonly Instance[];
  readonly malformed: number;
}

export interface ExplainedCall {
  readonly tag: string | null;
}

export interface Explanation extends ExplainedCall {
  readonly service: string;
  readonly balance: string;
  readonly snapshot: SnapshotStatus;
  /** Id of the instance that would be called; null when the call would fail. */
  readonly chosen: string | null;
  /** The reason code that the caller would get, after having waited for an instance if it would; null when one would be tried. */
  readonly reason: Reason | null;
  /** The decision as one sentence. */
  readonly summary: string;
  readonly instances: readonly Verdict[];
}

/** What the decision says about one instance. */
export interface Verdict {
  readonly id: string;
  readonly address: string;
  /** `candidate`: not this time, but the next call may go to it. `excluded`: it is not called now. */
  readonly verdict: 'chosen' | 'candidate' | 'excluded';
  /** The reason, as half a sentence. */
  readonly because: string;
}
