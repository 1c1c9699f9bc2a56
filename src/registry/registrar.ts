// The Registrar: registered exactly while healthy, in each registry.
import type { Component } from '../core/component.ts';
import type { Logger } from '../core/logger.ts';
import type { Lease, ReleaseOutcome } from './lease.ts';

/** What the Registrar asks of a health check. */
export interface HealthSource {
  readonly healthy: boolean;
  /** Calls the listener after each change of `healthy`, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** What is wanted of the lease; the lease's own state tells how far that has come. */
type RegistrarState =
  | { readonly kind: 'new' }
  /** Following the health source. */
  | { readonly kind: 'tied'; readonly untie: () => void }
  /** For good, whatever the health. */
  | { readonly kind: 'deregistered' };

interface RegistrarDeps {
  /** One for each registry; none where others register the instance. */
  readonly leases: readonly Lease[];
  readonly health: HealthSource;
  readonly logger: Logger;
}

/** The budget of a release because of bad health; a record that outlives it ends with its TTL. */
const releaseTimeoutMs = 2000;

/** Owns the wish to be registered, not the leases: closing it leaves the records to whoever ends the leases. */
export class Registrar implements Component {
  readonly serviceName: string;
  readonly #deps: RegistrarDeps;
  #state: RegistrarState = { kind: 'new' };

  constructor(deps: RegistrarDeps, options: { readonly serviceName: string }) {
    this.#deps = deps;
    this.serviceName = options.serviceName;
  }

  get state(): RegistrarState['kind'] {
    return this.#state.kind;
  }

  /** Registers if healthy, and from now on with each change; does not wait for the registry. */
  start(): Promise<void> {
    if (this.#state.kind === 'new') {
      const untie = this.#deps.health.onChange(() => this.#follow());
      this.#state = { kind: 'tied', untie };
      this.#follow();
    }
    return Promise.resolve();
  }

  /** Removes the records for good: later changes of health do nothing. Never rejects; `released` when all are. */
  deregister(timeoutMs: number): Promise<ReleaseOutcome> {
    this.#untie();
    return this.#release(timeoutMs);
  }

  close(): Promise<void> {
    this.#untie();
    return Promise.resolve();
  }

  #follow(): void {
    const { leases, health, logger } = this.#deps;
    const fields = { service: this.serviceName };
    if (health.healthy) {
      logger.info(fields, 'healthy: registering');
      for (const lease of leases) lease.acquire();
    } else {
      logger.info(fields, 'not healthy: not registered');
      // Never rejects, and the leases show how it went.
      void this.#release(releaseTimeoutMs);
    }
  }

  async #release(timeoutMs: number): Promise<ReleaseOutcome> {
    const releases = this.#deps.leases.map((lease) => lease.release(timeoutMs));
    const outcomes = await Promise.all(releases);
    return outcomes.includes('timeout') ? 'timeout' : 'released';
  }

  #untie(): void {
    if (this.#state.kind === 'tied') this.#state.untie();
    this.#state = { kind: 'deregistered' };
  }
}
