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

  get isEmpty(): boolean {
    return this.#pools.size === 0;
  }

  sweep(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.sweep(nowMs);
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }
}
