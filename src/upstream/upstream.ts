// An Upstream: one service as the proxy calls it, with its policy, its live endpoints and who of them may be chosen.
import type { Balancer } from '../balancing/balancer.ts';
import { balancers } from '../balancing/balancers.ts';
import { Candidates } from '../balancing/candidates.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import type { Reason } from '../core/reasons.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { Ejection } from '../resilience/ejection.ts';
import { RetryBudget } from '../resilience/retry-budget.ts';
import { UpstreamCounters } from './counters.ts';
import { Endpoint } from './endpoint.ts';
import type { Outcome, Outcomes } from './outcomes.ts';
import type { UpstreamPolicy } from './policy.ts';
import type { Prober } from './prober.ts';

/** What all upstreams of a process share. */
export interface CallingDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly prober: Prober;
}

export interface UpstreamDeps extends CallingDeps {
  /** The registry's own snapshot of a service, whose age grows younger with each confirmation that brings no change. */
  readonly latest: (service: string) => Snapshot | undefined;
  /** Tells the registry that an instance could not be reached: a vanished instance that is only held is then dropped. */
  readonly reportUnreachable: (service: string, instanceId: string) => void;
  /** Where the requests for all services count too that the registry has not named so far: such an upstream may be let go. */
  readonly unknownOutcomes: Outcomes;
}

export class Upstream {
  readonly service: string;
  readonly policy: UpstreamPolicy;
  readonly counters = new UpstreamCounters();
  readonly budget: RetryBudget;
  readonly #deps: UpstreamDeps;
  readonly #balancer: Balancer;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #probeTimers = new Map<Endpoint, Timer>();
  readonly #listeners = new Set<() => void>();
  /** Those in rotation, by tag; rebuilt on change and not for each request. */
  readonly #candidates = new Map<string | undefined, Candidates<Endpoint>>();
  #snapshot: Snapshot;
  #known = false;
  #closed = false;

  constructor(deps: UpstreamDeps, policy: UpstreamPolicy, snapshot: Snapshot) {
    this.#deps = deps;
    this.policy = policy;
    this.service = snapshot.service;
    this.#snapshot = snapshot;
    this.#balancer = balancers[policy.balance](deps.random);
    this.budget = new RetryBudget({
      ratio: policy.retryRatio,
      perSecondMin: policy.retriesPerSecondMin,
    });
  }

  get snapshot(): Snapshot {
    return this.#deps.latest(this.service) ?? this.#snapshot;
  }

  get endpoints(): Iterable<Endpoint> {
    return this.#endpoints.values();
  }

  /** The registry has named at least one instance of it at some time. */
  get known(): boolean {
    return this.#known;
  }

  /** A further call is refused with `overloaded`. */
  get isFull(): boolean {
    return this.counters.inFlight >= this.policy.inFlightMax;
  }

  /** Why a call fails that has waited in vain for an instance. */
  get lack(): Extract<Reason, 'no_such_service' | 'no_instances'> {
    return this.snapshot.state === 'live' && !this.#known ? 'no_such_service' : 'no_instances';
  }

  /** Takes over a new snapshot: what stayed keeps its state, what left is retired. */
  update(snapshot: Snapshot): void {
    if (this.#closed) return;
    this.#snapshot = snapshot;
    const left = new Set(this.#endpoints.keys());
    if (!this.#known && snapshot.instances.length > 0) {
      this.#known = true;
      // What ended before is counted among the unknown ones.
      this.counters.outcomes.counts.clear();
    }
    for (const instance of snapshot.instances) {
      const endpoint = this.#endpoints.get(instance.id);
      if (endpoint?.instance.host === instance.host && endpoint.instance.port === instance.port) {
        endpoint.instance = instance;
        left.delete(instance.id);
      } else {
        endpoint?.retire();
        this.#endpoints.set(instance.id, new Endpoint(instance, this.#newEjection()));
        left.delete(instance.id);
      }
    }
    for (const id of left) this.#remove(id);
    this.#changed();
  }

  /** The endpoints in rotation that have the tag; all when no tag is asked for. */
  candidates(tag: string | undefined): Candidates<Endpoint> {
    let candidates = this.#candidates.get(tag);
    if (candidates === undefined) {
      const matching = this.#matching(tag);
      candidates = new Candidates(matching.filter(isIn));
      // Tags come from clients: only those that an instance has are remembered.
      if (tag === undefined || matching.length > 0) this.#candidates.set(tag, candidates);
    }
    return candidates;
  }

  /**
   * Chooses an endpoint that was not tried yet. When every other one is ejected, the ejected one that is due first is
   * chosen all the same: a call that may fail is better than one that is sure to.
   */
  pick(tag: string | undefined, tried: readonly Endpoint[], nowMs: number): Endpoint | undefined {
    const candidates = this.candidates(tag);
    const untried = tried.length === 0 ? candidates : candidates.without(tried);
    const picked = this.#balancer.pick(untried, nowMs);
    return picked ?? this.#pickEjected(tag, tried);
  }

  /** Has any instance that may be called, now or after its ejection. */
  hasInstances(tag: string | undefined): boolean {
    return this.candidates(tag).members.length > 0 || this.#matching(tag).some(hasWeight);
  }

  /** Counts a request that has ended. */
  ended(outcome: Outcome): void {
    this.counters.outcomes.add(outcome);
    if (!this.#known) this.#deps.unknownOutcomes.add(outcome);
  }

  succeeded(endpoint: Endpoint): void {
    endpoint.ejection.succeeded();
  }

  /** The instance answered badly or too late. */
  failed(endpoint: Endpoint, cause: string): void {
    endpoint.counters.failures++;
    if (endpoint.ejection.failed()) this.#eject(endpoint, cause);
  }

  /** No connection could be made, or it broke in a way that says the process is gone. */
  unreachable(endpoint: Endpoint, cause: string): void {
    endpoint.counters.failures++;
    this.#eject(endpoint, cause);
    this.#deps.reportUnreachable(this.service, endpoint.instance.id);
  }

  /** Calls back when the endpoints or their states change. Returns how to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    for (const id of [...this.#endpoints.keys()]) this.#remove(id);
    this.#candidates.clear();
  }

  /** Ejects unless it is the last one in rotation, which is better than none. */
  #eject(endpoint: Endpoint, cause: string): void {
    const others = this.candidates(undefined).members.some((other) => other !== endpoint);
    if (!others || endpoint.retired) return;
    const durationMs = endpoint.ejection.eject(cause, this.#deps.clock.nowMs());
    if (durationMs === undefined) return;
    endpoint.counters.ejections++;
    this.counters.ejections++;
    this.#scheduleProbe(endpoint, durationMs);
    this.#deps.logger.info(
      { service: this.service, instance: endpoint.instance.id, cause, durationMs },
      'instance ejected',
    );
    this.#changed();
  }

  #scheduleProbe(endpoint: Endpoint, delayMs: number): void {
    const timer = this.#deps.clock.after(delayMs, () => void this.#probe(endpoint));
    this.#probeTimers.set(endpoint, timer);
  }

  async #probe(endpoint: Endpoint): Promise<void> {
    const { clock, prober, logger } = this.#deps;
    this.#probeTimers.delete(endpoint);
    endpoint.ejection.probe();
    const cause = await prober(endpoint.instance, this.policy.connectTimeoutMs);
    if (endpoint.retired) return;
    if (cause !== undefined) {
      const durationMs = endpoint.ejection.probeFailed(cause, clock.nowMs());
      if (durationMs !== undefined) this.#scheduleProbe(endpoint, durationMs);
      this.#deps.reportUnreachable(this.service, endpoint.instance.id);
      return;
    }
    this.#readmit(endpoint);
    logger.info({ service: this.service, instance: endpoint.instance.id }, 'instance readmitted');
  }

  #readmit(endpoint: Endpoint): void {
    this.#probeTimers.get(endpoint)?.cancel();
    this.#probeTimers.delete(endpoint);
    endpoint.ejection.readmit(this.#deps.clock.nowMs());
    this.#changed();
  }

  #pickEjected(tag: string | undefined, tried: readonly Endpoint[]): Endpoint | undefined {
    const out = this.#matching(tag).filter((endpoint) => hasWeight(endpoint) && !isIn(endpoint));
    return out.filter((endpoint) => !tried.includes(endpoint)).sort(byReturn)[0];
  }

  #matching(tag: string | undefined): Endpoint[] {
    const all = [...this.#endpoints.values()];
    return tag === undefined ? all : all.filter(({ instance }) => instance.tags.includes(tag));
  }

  #remove(id: string): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    this.#probeTimers.get(endpoint)?.cancel();
    this.#probeTimers.delete(endpoint);
    this.#endpoints.delete(id);
    endpoint.retire();
  }

  #changed(): void {
    this.#candidates.clear();
    for (const listener of [...this.#listeners]) listener();
  }

  #newEjection(): Ejection {
    const { ejectAfterFailures, ejectionMinMs, ejectionMaxMs } = this.policy;
    return new Ejection(
      { afterFailures: ejectAfterFailures, minMs: ejectionMinMs, maxMs: ejectionMaxMs },
      this.#deps.random,
    );
  }
}

function isIn(endpoint: Endpoint): boolean {
  return endpoint.ejection.state.kind === 'in';
}

function hasWeight(endpoint: Endpoint): boolean {
  return endpoint.weight > 0;
}

/** One that is being probed first, then by the time of the next probe. */
function byReturn(a: Endpoint, b: Endpoint): number {
  return returnAtMs(a) - returnAtMs(b);
}

function returnAtMs({ ejection: { state } }: Endpoint): number {
  return state.kind === 'ejected' ? state.untilMs : 0;
}
