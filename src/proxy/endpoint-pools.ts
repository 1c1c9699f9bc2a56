// The connection pools of all endpoints in use; each lives as long as its endpoint.
import type { Endpoint } from '../upstream/endpoint.ts';
import type { UpstreamPolicy } from '../upstream/policy.ts';
import type { ClientClass } from './connection.ts';
import type { DialDeps } from './dial.ts';
import { EndpointPool } from './endpoint-pool.ts';

export class EndpointPools {
  readonly #deps: DialDeps;
  readonly #pools = new Map<Endpoint, EndpointPool>();
  #Client: ClientClass | undefined;

  constructor(deps: DialDeps) {
    this.#deps = deps;
  }

  get loaded(): boolean {
    return this.#Client !== undefined;
  }

  /** The endpoint's pool. Only after `load`. */
  of(endpoint: Endpoint, policy: UpstreamPolicy): EndpointPool {
    const existing = this.#pools.get(endpoint);
    if (existing !== undefined) return existing;
    if (this.#Client === undefined) throw new Error('the HTTP client is not loaded');
    const pool = new EndpointPool(this.#deps, this.#Client, endpoint, policy);
    this.#pools.set(endpoint, pool);
    endpoint.own({
      retire: () => {
        this.#pools.delete(endpoint);
        pool.retire();
      },
    });
    return pool;
  }

  /** Loads the HTTP client, once. */
  async load(): Promise<void> {
    if (this.#Client !== undefined) return;
    const { default: Client } = await import('undici/lib/dispatcher/client.js');
    this.#Client = Client;
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }
}
