// The fast lane's connection pools of all endpoints in use; each lives as long as its endpoint.
import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { UpstreamPolicy } from '../../../upstream/policy.ts';
import { InstancePool } from './instance-pool.ts';
import type { PoolDeps } from './lane-deps.ts';

export class InstancePools {
  readonly #deps: PoolDeps;
  readonly #pools = new Map<Endpoint, InstancePool>();

  constructor(deps: PoolDeps) {
    this.#deps = deps;
  }

  of(endpoint: Endpoint, policy: UpstreamPolicy): InstancePool {
    const existing = this.#pools.get(endpoint);
    if (existing !== undefined) return existing;
    const pool = new InstancePool(this.#deps, endpoint, policy);
    this.#pools.set(endpoint, pool);
    endpoint.own({
      retire: () => {
        this.#pools.delete(endpoint);
        pool.retire();
      },
    });
    return pool;
  }

  /** No connection is open. */
  get isEmpty(): boolean {
    for (const pool of this.#pools.values()) if (!pool.isEmpty) return false;
    return true;
  }

  sweep(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.sweep(nowMs);
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }
}
