// Hosts on the network that are no services: each is called through an Upstream with one instance.
import { formatAddress, type Address } from '../core/address.ts';
import { makeSnapshot } from '../core/snapshot.ts';
import { Outcomes } from '../upstream/outcomes.ts';
import type { UpstreamPolicy } from '../upstream/policy.ts';
import { Upstream, type CallingDeps } from '../upstream/upstream.ts';
import type { ExternalHosts } from './intake.ts';

export interface ExternalUpstreamsOptions {
  readonly policy: UpstreamPolicy;
  /** Hosts in use at once. */
  readonly hostsMax?: number;
}

/** Holds the latest used; one that carries nothing leaves when there are too many. */
export class ExternalUpstreams implements ExternalHosts {
  readonly #deps: CallingDeps;
  readonly #options: Required<ExternalUpstreamsOptions>;
  readonly #upstreams = new Map<string, Upstream>();

  constructor(deps: CallingDeps, options: ExternalUpstreamsOptions) {
    this.#deps = deps;
    this.#options = { hostsMax: 256, ...options };
  }

  get(address: Address): Upstream | undefined {
    const name = formatAddress(address);
    let upstream = this.#upstreams.get(name);
    if (upstream === undefined) {
      if (!this.#makeRoom()) return undefined;
      upstream = this.#open(name, address);
    }
    this.#upstreams.delete(name);
    this.#upstreams.set(name, upstream);
    return upstream;
  }

  close(): void {
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#upstreams.clear();
  }

  #open(name: string, { host, port }: Address): Upstream {
    const confirmedAtMs = this.#deps.clock.nowMs();
    const instance = { service: name, id: name, host, port, weight: 1, tags: [], meta: {} };
    const snapshot = makeSnapshot({
      service: name,
      state: 'live',
      instances: [instance],
      confirmedAtMs,
      held: 0,
    });
    const registry = { latest: () => undefined, reportUnreachable: () => undefined };
    const deps = { ...this.#deps, ...registry, unknownOutcomes: new Outcomes() };
    const upstream = new Upstream(deps, this.#options.policy, snapshot);
    upstream.update(snapshot);
    return upstream;
  }

  #makeRoom(): boolean {
    if (this.#upstreams.size < this.#options.hostsMax) return true;
    for (const [name, upstream] of this.#upstreams) {
      if (upstream.counters.inFlight > 0) continue;
      this.#upstreams.delete(name);
      upstream.close();
      return true;
    }
    return false;
  }
}
