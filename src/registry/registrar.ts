// The Registrar: registered exactly while healthy.
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
  readonly lease: Lease;
  readonly health: HealthSource;
  readonly logger: Logger;
}

/** The budget of a release because of bad health; a record that outlives it ends with its TTL. */
const releaseTimeoutMs = 2000;

/** Owns the wish to be registered, not the lease: closing it leaves the record to whoever ends the lease. */
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

  /** Removes the record for good: later changes of health do nothing. Never rejects. */
  deregister(timeoutMs: number): Promise<ReleaseOutcome> {
    this.#untie();
    return this.#deps.lease.release(timeoutMs);
  }

  close(): Promise<void> {
    this.#untie();
    return Promise.resolve();
  }

  #follow(): void {
    const { lease, health, logger } = this.#deps;
    const fields = { service: this.serviceName };
    if (health.healthy) {
      logger.info(fields, 'healthy: registering');
      lease.acquire();
    } else {
      logger.info(fields, 'not healthy: not registered');
      // Never rejects, and the lease shows how it went.
      void lease.release(releaseTimeoutMs);
    }
  }

  #untie(): void {
    if (this.#state.kind === 'tied') this.#state.untie();
    this.#state = { kind: 'deregistered' };
  }
}
