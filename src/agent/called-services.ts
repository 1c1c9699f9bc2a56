// The services that are called, as the agent tells of them: from its own upstreams, or from its workers.
import type {
  ExplainedCall,
  Explanation,
  RequestCount,
  UsedServiceStatus,
  WorkersStatus,
} from '../admin/view.ts';
import type { Clock } from '../core/clock.ts';
import type { Registries } from '../registry/registries.ts';
import { untilUpstream } from '../upstream/until.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { explainCall } from './explain-call.ts';
import { countRequests, showSnapshot, showUpstream } from './show-upstream.ts';

/** As the methods of the same names in AgentView. */
export interface CalledServices {
  refresh(): Promise<void>;
  used(): readonly UsedServiceStatus[];
  unknownRequests(): readonly RequestCount[];
  workers(): WorkersStatus | null;
  explain(
    service: string,
    call: ExplainedCall,
    signal: AbortSignal,
  ): Promise<Explanation | undefined>;
}

interface Deps {
  readonly registries: Pick<Registries, 'malformed' | 'read'>;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
}

/** Those of this process. */
export class OwnCalledServices implements CalledServices {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  used(): readonly UsedServiceStatus[] {
    const { registries, upstreams, clock } = this.#deps;
    const malformed = registries.malformed();
    const nowMs = clock.nowMs();
    return upstreams
      .all()
      .map((upstream) => showUpstream(upstream, malformed.get(upstream.service) ?? 0, nowMs));
  }

  unknownRequests(): readonly RequestCount[] {
    return countRequests(this.#deps.upstreams.unknownOutcomes);
  }

  workers(): null {
    return null;
  }

  /** Takes the service into use, as the call itself would, so that the answer is that of the call. */
  async explain(
    service: string,
    call: ExplainedCall,
    signal: AbortSignal,
  ): Promise<Explanation | undefined> {
    const { registries, upstreams, clock } = this.#deps;
    const upstream = upstreams.peek(service) ?? (await this.#lookUp(service, signal));
    if (upstream === undefined) return undefined;
    const nowMs = clock.nowMs();
    const malformed = registries.malformed().get(service) ?? 0;
    return {
      ...explainCall(upstream, call, nowMs),
      snapshot: showSnapshot(upstream.snapshot, malformed, nowMs),
    };
  }

  async #lookUp(service: string, signal: AbortSignal): Promise<Upstream | undefined> {
    const { registries, upstreams } = this.#deps;
    const { instances } = await registries.read(service, signal);
    if (instances.length === 0) return undefined;
    const upstream = upstreams.get(service);
    if (upstream !== undefined) await untilUpstream(upstream, wasRead, signal);
    return upstream;
  }
}

export function wasRead({ snapshot }: Upstream): boolean {
  return snapshot.state !== 'unknown';
}
