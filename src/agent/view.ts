// The agent as its admin API shows it: copies of one moment, put together when they are asked for.
import type {
  AgentStatus,
  AgentView,
  DrainStatus,
  ExplainedCall,
  Explanation,
  LifeStatus,
  LocalServiceStatus,
  Readiness,
  RegistryReading,
  RegistryStatus,
  RequestCount,
  UsedServiceStatus,
  WorkersStatus,
} from '../admin/view.ts';
import type { Clock } from '../core/clock.ts';
import { readVersion } from '../core/version.ts';
import type { Registries } from '../registry/registries.ts';
import type { CalledServices } from './called-services.ts';
import type { Drain, DrainPhase, DrainState } from './drain.ts';
import type { LocalService } from './local-service.ts';
import { showLocalService } from './show-local-service.ts';

export interface ViewDeps {
  readonly registries: Registries;
  readonly called: CalledServices;
  readonly services: readonly LocalService[];
  readonly drain: Drain;
  readonly clock: Clock;
  /** Begins to end the whole agent. */
  readonly requestDrain: () => void;
}

export interface ViewOptions {
  /** The bound addresses, known once the agent listens. */
  readonly proxyUrl: () => string | null;
  readonly adminUrl: () => string;
  /** When the agent started: for people, and on the clock. */
  readonly startedAtWallMs: number;
  readonly startedAtMs: number;
  readonly drainBudgetMs: number;
}

const drainPhases: readonly DrainPhase[] = [
  'announce',
  'deregister',
  'lame_duck',
  'stop_app',
  'finish',
  'exit',
];

export class View implements AgentView {
  readonly #deps: ViewDeps;
  readonly #options: ViewOptions;
  readonly #version = readVersion();

  constructor(deps: ViewDeps, options: ViewOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  agent(): AgentStatus {
    const { services, clock } = this.#deps;
    const { proxyUrl, adminUrl, startedAtWallMs, startedAtMs } = this.#options;
    return {
      name: services[0]?.instance.service ?? null,
      version: this.#version,
      pid: process.pid,
      startedAt: new Date(startedAtWallMs).toISOString(),
      uptimeMs: Math.round(clock.nowMs() - startedAtMs),
      proxyUrl: proxyUrl(),
      adminUrl: adminUrl(),
    };
  }

  life(): LifeStatus {
    const { drain, services } = this.#deps;
    const { state } = drain;
    if (state.kind !== 'running') return { state: state.kind, drain: this.#showDrain(state) };
    const isComplete = services.every(wasRegistered);
    return { state: isComplete ? 'running' : 'starting', drain: null };
  }

  /**
   * A registry that is away does not make a running agent unready: what it knew still serves, and its own record is put
   * back by itself.
   */
  ready(): Readiness {
    const { drain, services } = this.#deps;
    const reasons: string[] = [];
    if (drain.state.kind !== 'running') reasons.push('the agent is draining');
    for (const service of services) {
      const name = service.instance.service;
      if (!service.health.healthy) reasons.push(`${name} is not healthy`);
      else if (!wasRegistered(service)) {
        reasons.push(`${name} is not registered yet${this.#registryTrouble()}`);
      }
    }
    return { ready: reasons.length === 0, reasons };
  }

  registries(): readonly RegistryStatus[] {
    const { registries, clock } = this.#deps;
    return registries.health().map(({ sinceMs, lastError, ...shown }) => ({
      ...shown,
      stateAgeMs: Math.round(clock.nowMs() - sinceMs),
      lastError: lastError ?? null,
    }));
  }

  localServices(): readonly LocalServiceStatus[] {
    return this.#deps.services.map(showLocalService);
  }

  refresh(): Promise<void> {
    return this.#deps.called.refresh();
  }

  workers(): WorkersStatus | null {
    return this.#deps.called.workers();
  }

  usedServices(): readonly UsedServiceStatus[] {
    return this.#deps.called.used();
  }

  unknownRequests(): readonly RequestCount[] {
    return this.#deps.called.unknownRequests();
  }

  explain(
    service: string,
    call: ExplainedCall,
    signal: AbortSignal,
  ): Promise<Explanation | undefined> {
    return this.#deps.called.explain(service, call, signal);
  }

  names(signal: AbortSignal): Promise<readonly string[]> {
    return this.#deps.registries.names(signal);
  }

  instances(service: string, signal: AbortSignal): Promise<RegistryReading> {
    return this.#deps.registries.read(service, signal);
  }

  drain(): void {
    this.#deps.requestDrain();
  }

  #registryTrouble(): string {
    const failing = this.#deps.registries.health().find(({ state }) => state !== 'up');
    return failing?.lastError === undefined ? '' : `: ${failing.lastError.message}`;
  }

  #showDrain(state: Exclude<DrainState, { kind: 'running' }>): DrainStatus {
    const { clock } = this.#deps;
    const ended = new Map(state.phases.map((timing) => [timing.phase, timing]));
    const active = state.kind === 'draining' ? state.phase : undefined;
    const last = state.phases.at(-1);
    const activeSinceMs = last ? last.startedAtMs + last.durationMs : state.startedAtMs;
    return {
      cause: state.cause,
      elapsedMs: Math.round(clock.nowMs() - state.startedAtMs),
      budgetMs: this.#options.drainBudgetMs,
      phases: drainPhases.map((phase) => {
        const timing = ended.get(phase);
        if (timing !== undefined) {
          const { outcome, durationMs } = timing;
          return { phase, state: 'done', outcome, durationMs: Math.round(durationMs) };
        }
        if (phase !== active) return { phase, state: 'waiting', outcome: null, durationMs: null };
        const durationMs = Math.round(clock.nowMs() - activeSinceMs);
        return { phase, state: 'active', outcome: null, durationMs };
      }),
    };
  }
}

/** In one registry at least; where others register the instance, being well is all. */
function wasRegistered({ leases }: LocalService): boolean {
  return leases.length === 0 || leases.some(({ counters }) => counters.acquisitions > 0);
}
