// A Lease: keeps one instance registered from `acquire` to `release`, whatever the registry does meanwhile.
import type { Clock } from '../core/clock.ts';
import type { RegistryError } from '../core/errors.ts';
import type { Instance } from '../core/instance.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { between, type Random } from '../core/random.ts';
import { asRegistryError, type BoundedDriver } from './bounded-driver.ts';
import { Pause } from './pause.ts';
import { failureOf, type Failure } from './registry-health.ts';
import { retryDelayMs } from './retry.ts';
import type { TokenBucket } from './token-bucket.ts';

/** Times are monotonic ms; `sinceMs` is when the state began, `renewedAtMs` when the latest good heartbeat was sent. */
export type LeaseState =
  /** Never acquired. */
  | { readonly kind: 'idle' }
  /** Not registered as far as is known, and trying; `failures` in a row. */
  | {
      readonly kind: 'acquiring';
      readonly sinceMs: number;
      readonly failures: number;
      readonly lastError?: Failure;
    }
  /** Registered. */
  | { readonly kind: 'active'; readonly sinceMs: number; readonly renewedAtMs: number }
  /** Registered, but the latest heartbeats failed. */
  | {
      readonly kind: 'suspect';
      readonly sinceMs: number;
      readonly renewedAtMs: number;
      readonly failures: number;
      readonly lastError: Failure;
    }
  /** Being removed; `next` is what is wanted after that. */
  | { readonly kind: 'releasing'; readonly sinceMs: number; readonly next: 'rest' | 'acquire' }
  /** Not registered any more. */
  | { readonly kind: 'released'; readonly sinceMs: number; readonly outcome: ReleaseOutcome };

/** `timeout`: the registry did not confirm it in time; the record ends with its TTL. */
export type ReleaseOutcome = 'released' | 'timeout';

export interface LeaseCounters {
  readonly renewalsOk: number;
  readonly renewalsFailed: number;
  /** How often the registry did not have the record any more, or must be presumed not to have it. */
  readonly losses: number;
  readonly acquisitions: number;
}

interface LeaseDeps {
  readonly driver: BoundedDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Shared by all leases of a registry: limits acquiring again after `gone`. */
  readonly bucket: TokenBucket;
}

export interface LeaseTiming {
  readonly ttlMs: number;
  /** Mean time between heartbeats; at most a third of the TTL leaves room for two that fail. */
  readonly heartbeatMs: number;
}

/** Retries stay within a second so that a registry that is back has the record within a second. */
const retryCapMs = 1000;
/** After an outage a fleet finds its records gone at the same moment; acquiring is spread over at most this time. */
const herdMaxMs = 1000;
/** The share of a release's budget that its first try may take. */
const firstReleaseShare = 0.6;
const releaseRetryMs = 100;

/** At most one operation is in flight at any time. Nothing that the registry does ends the loop; only `release` does. */
export class Lease {
  readonly #deps: LeaseDeps;
  readonly #timing: LeaseTiming;
  readonly #pause: Pause;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #counters = { renewalsOk: 0, renewalsFailed: 0, losses: 0, acquisitions: 0 };
  #state: LeaseState = { kind: 'idle' };
  #instance: Instance;
  /** What the registry has, as far as is known. */
  #written: Instance | undefined;
  #keeping = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #release: Promise<ReleaseOutcome> = Promise.resolve('released');

  constructor(deps: LeaseDeps, instance: Instance, timing: LeaseTiming) {
    this.#deps = deps;
    this.#instance = instance;
    this.#timing = timing;
    this.#pause = new Pause(deps.clock);
  }

  /** Of the registry, for people. */
  get registryUrl(): string {
    return this.#deps.driver.url;
  }

  get state(): LeaseState {
    return this.#state;
  }

  get instance(): Instance {
    return this.#instance;
  }

  get counters(): LeaseCounters {
    return { ...this.#counters };
  }

  /** Calls the listener after each change of the state's kind, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Wants the instance registered; returns at once and keeps trying. Also after a release, and during one. */
  acquire(): void {
    if (this.#closing.signal.aborted) return;
    const state = this.#state;
    if (state.kind === 'releasing') this.#enter({ ...state, next: 'acquire' });
    if (state.kind !== 'idle' && state.kind !== 'released') return;
    this.#enter({ kind: 'acquiring', sinceMs: this.#deps.clock.nowMs(), failures: 0 });
    this.#keeping = new AbortController();
    this.#loop = this.#keep(this.#keeping.signal);
  }

  /** Writes another record of the same service and id, at once if registered, else when acquiring. */
  update(instance: Instance): void {
    const { service, id } = this.#instance;
    if (instance.service !== service || instance.id !== id) {
      throw new TypeError(`not the instance of this lease: ${instance.service} ${instance.id}`);
    }
    this.#instance = instance;
    if (this.#state.kind === 'active') this.#pause.wake();
  }

  /** Removes the record, with one retry within the time given. Never rejects; a second call joins the first. */
  release(timeoutMs: number): Promise<ReleaseOutcome> {
    const state = this.#state;
    if (state.kind === 'idle') return Promise.resolve('released');
    if (state.kind === 'released') return Promise.resolve(state.outcome);
    if (state.kind === 'releasing') {
      this.#enter({ ...state, next: 'rest' });
    } else {
      this.#enter({ kind: 'releasing', sinceMs: this.#deps.clock.nowMs(), next: 'rest' });
      this.#release = this.#remove(timeoutMs);
    }
    return this.#release;
  }

  /** Ends the lease's timers without removing the record. Final. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#keeping.abort();
    await this.#loop;
    await this.#release;
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'released') this.#released('timeout');
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#beat(signal);
      await this.#pause.for(waitMs, signal);
    }
  }

  /** One operation, whichever is due. Returns the time until the next one. */
  async #beat(signal: AbortSignal): Promise<number> {
    const { driver, clock } = this.#deps;
    const { ttlMs } = this.#timing;
    const startedMs = clock.nowMs();
    const instance = this.#instance;
    this.#expire(startedMs);
    const acquiring = this.#state.kind === 'acquiring' || this.#written !== instance;
    try {
      if (acquiring) {
        await driver.acquire(instance, ttlMs, signal);
        return signal.aborted ? 0 : this.#acquired(instance, startedMs);
      }
      const answer = await driver.renew(instance, ttlMs, signal);
      if (signal.aborted) return 0;
      return answer === 'ok' ? this.#renewed(startedMs) : this.#gone();
    } catch (error) {
      if (signal.aborted) return 0;
      if (!acquiring) this.#counters.renewalsFailed++;
      return this.#failed(asRegistryError(error));
    }
  }

  /** A lease whose TTL has passed, because the registry was away or this process was stopped, is presumed lost. */
  #expire(nowMs: number): void {
    const state = this.#state;
    if (state.kind !== 'active' && state.kind !== 'suspect') return;
    if (nowMs - state.renewedAtMs <= this.#timing.ttlMs) return;
    this.#counters.losses++;
    this.#enter({
      kind: 'acquiring',
      sinceMs: nowMs,
      failures: 0,
      ...(state.kind === 'suspect' && { failures: state.failures, lastError: state.lastError }),
    });
  }

  #acquired(instance: Instance, startedMs: number): number {
    this.#written = instance;
    if (this.#state.kind === 'acquiring') this.#counters.acquisitions++;
    this.#activate(startedMs);
    return this.#untilBeat(startedMs, 0.5, 1);
  }

  #renewed(startedMs: number): number {
    this.#counters.renewalsOk++;
    this.#activate(startedMs);
    return this.#untilBeat(startedMs, 0.9, 1.1);
  }

  #activate(renewedAtMs: number): void {
    const state = this.#state;
    const sinceMs = state.kind === 'active' ? state.sinceMs : this.#deps.clock.nowMs();
    this.#enter({ kind: 'active', sinceMs, renewedAtMs });
  }

  /** Counted from the start of the last operation, so that a late answer or a stopped process does not delay it. */
  #untilBeat(startedMs: number, low: number, high: number): number {
    if (this.#written !== this.#instance) return 0;
    const intervalMs = this.#timing.heartbeatMs * between(this.#deps.random, low, high);
    return startedMs + intervalMs - this.#deps.clock.nowMs();
  }

  #gone(): number {
    const { clock, random, bucket } = this.#deps;
    const { ttlMs, heartbeatMs } = this.#timing;
    const nowMs = clock.nowMs();
    const afterOutage = this.#state.kind === 'suspect';
    this.#counters.losses++;
    this.#enter({ kind: 'acquiring', sinceMs: nowMs, failures: 0 });
    const spreadMs = Math.min(ttlMs / 3, heartbeatMs, herdMaxMs);
    return Math.max(bucket.takeMs(nowMs), afterOutage ? random() * spreadMs : 0);
  }

  #failed(error: RegistryError): number {
    const state = this.#state;
    const sinceMs = this.#deps.clock.nowMs();
    const lastError = failureOf(error);
    if (state.kind === 'active') {
      const { renewedAtMs } = state;
      this.#enter({ kind: 'suspect', sinceMs, renewedAtMs, failures: 1, lastError });
      return retryDelayMs(1, error, retryCapMs, this.#deps.random);
    }
    if (state.kind !== 'suspect' && state.kind !== 'acquiring') return 0;
    const failures = state.failures + 1;
    this.#enter({ ...state, failures, lastError });
    return retryDelayMs(failures, error, retryCapMs, this.#deps.random);
  }

  async #remove(timeoutMs: number): Promise<ReleaseOutcome> {
    const endMs = this.#deps.clock.nowMs() + timeoutMs;
    this.#keeping.abort();
    await this.#loop;
    let removed = await this.#tryRemove(timeoutMs * firstReleaseShare);
    if (!removed) {
      await this.#pause.for(releaseRetryMs, this.#closing.signal);
      removed = await this.#tryRemove(endMs - this.#deps.clock.nowMs());
    }
    const outcome = removed ? 'released' : 'timeout';
    const wanted = this.#state.kind === 'releasing' ? this.#state.next : 'rest';
    this.#released(outcome);
    if (wanted === 'acquire') this.acquire();
    return outcome;
  }

  async #tryRemove(timeoutMs: number): Promise<boolean> {
    if (timeoutMs <= 0) return false;
    try {
      await this.#deps.driver.release(this.#instance, timeoutMs, this.#closing.signal);
      return true;
    } catch (error) {
      this.#deps.logger.debug({ error: messageOf(error) }, 'release failed');
      return false;
    }
  }

  #released(outcome: ReleaseOutcome): void {
    this.#written = undefined;
    this.#enter({ kind: 'released', sinceMs: this.#deps.clock.nowMs(), outcome });
  }

  #enter(next: LeaseState): void {
    const before = this.#state;
    this.#state = next;
    if (before.kind === next.kind) return;
    logTransition(this.#deps.logger, before, next);
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#deps.logger.error({ error }, 'a listener of the lease failed');
      }
    }
  }
}

function logTransition(logger: Logger, before: LeaseState, next: LeaseState): void {
  switch (next.kind) {
    case 'acquiring':
      if (before.kind === 'idle' || before.kind === 'released') logger.info({}, 'registering');
      else logger.warn({ before: before.kind }, 'lease lost');
      return;
    case 'active':
      logger.info({ before: before.kind }, 'registered');
      return;
    case 'suspect':
      logger.warn({ lastError: next.lastError }, 'heartbeat failed');
      return;
    case 'releasing':
      logger.info({}, 'deregistering');
      return;
    case 'released':
      if (next.outcome === 'released') logger.info({}, 'deregistered');
      else logger.warn({}, 'not deregistered: the record ends with its TTL');
      return;
    case 'idle':
      return;
  }
}
