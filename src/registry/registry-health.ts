// Whether the registry can be used, judged by how the latest operations ended.
import type { Clock } from '../core/clock.ts';
import type { RegistryError, RegistryErrorCode } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** What is kept of a failure to show it. */
export interface Failure {
  readonly code: RegistryErrorCode;
  readonly message: string;
}

export function failureOf(error: RegistryError): Failure {
  return { code: error.code, message: error.message };
}

/** The failure for anybody: a server's own words may repeat what it was sent, a password among it, and are left out. */
export function publicTextOf({ code, message }: Failure): string {
  switch (code) {
    case 'registry_unreachable':
    case 'registry_timeout':
      return message;
    case 'registry_auth':
      return 'it refuses the credentials';
    case 'registry_unavailable':
      return 'it cannot serve now';
    case 'registry_compacted':
    case 'registry_invalid':
      return 'its answer makes no sense';
  }
}

/**
 * - `unknown`: nothing was asked yet.
 * - `up`: the latest read and the latest write both succeeded, as far as there were any.
 * - `degraded`: one of them failed and the other did not (a read-only or full registry).
 * - `down`: nothing succeeds.
 */
export interface RegistryHealth {
  readonly state: 'up' | 'degraded' | 'down' | 'unknown';
  /** Monotonic ms when this state began. */
  readonly sinceMs: number;
  /** The latest failure, also when it is over. */
  readonly lastError?: Failure;
}

/** Reads list and follow; writes acquire, renew and release. They can fail apart from each other. */
export type OperationKind = 'read' | 'write';

interface HealthDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class HealthRecord {
  readonly #deps: HealthDeps;
  readonly #outcomes = new Map<OperationKind, 'ok' | 'failed'>();
  #current: RegistryHealth;

  constructor(deps: HealthDeps) {
    this.#deps = deps;
    this.#current = { state: 'unknown', sinceMs: deps.clock.nowMs() };
  }

  get current(): RegistryHealth {
    return this.#current;
  }

  ok(kind: OperationKind): void {
    if (this.#outcomes.get(kind) === 'ok') return;
    this.#outcomes.set(kind, 'ok');
    this.#judge(this.#current.lastError);
  }

  failed(kind: OperationKind, error: RegistryError): void {
    this.#outcomes.set(kind, 'failed');
    this.#judge(failureOf(error));
  }

  /** Nothing of this kind is done any more, so its last outcome says nothing. */
  forget(kind: OperationKind): void {
    this.#outcomes.delete(kind);
    this.#judge(this.#current.lastError);
  }

  #judge(lastError: Failure | undefined): void {
    const before = this.#current;
    const state = judge([...this.#outcomes.values()]);
    const sinceMs = state === before.state ? before.sinceMs : this.#deps.clock.nowMs();
    this.#current = { state, sinceMs, ...(lastError && { lastError }) };
    if (state !== before.state) this.#log(before);
  }

  #log(before: RegistryHealth): void {
    const { state, lastError } = this.#current;
    const fields = {
      state,
      before: before.state,
      beforeMs: Math.round(this.#current.sinceMs - before.sinceMs),
    };
    if (state === 'up' || state === 'unknown') {
      this.#deps.logger.info(fields, 'registry state changed');
    } else if (lastError?.code === 'registry_auth') {
      this.#deps.logger.error({ ...fields, lastError }, 'registry refuses the credentials');
    } else {
      this.#deps.logger.warn({ ...fields, lastError }, 'registry state changed');
    }
  }
}

function judge(outcomes: readonly ('ok' | 'failed')[]): RegistryHealth['state'] {
  const failed = outcomes.filter((outcome) => outcome === 'failed').length;
  if (outcomes.length === 0) return 'unknown';
  if (failed === 0) return 'up';
  return failed === outcomes.length ? 'down' : 'degraded';
}
