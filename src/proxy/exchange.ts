// An Exchange: one request as a machine without I/O, which decides everything and moves no bytes.
//
//   next() ─ attempt ─> connected ─> committed ─> replied ─ pass ─> finished | cut | clientClosed
//     ▲  └─ wait (until an instance appears)          └─ retry ┐
//     └──────────────────── failed ◄──────────────────────────┘
//
// A carrier calls next(), does what it is told, reports what happened, and calls next() again after a failure.
import type { Clock } from '../core/clock.ts';
import type { Reason } from '../core/reasons.ts';
import { mayRepeat } from '../resilience/retry.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Outcome } from '../upstream/outcomes.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What the rules must know of a request. */
export interface RequestFacts {
  readonly method: string;
  /** The client sent `Idempotency-Key`. */
  readonly idempotencyKey: boolean;
  /** Only instances with this tag. */
  readonly tag?: string | undefined;
  /** Monotonic ms after which no reply is of use; Infinity for none. */
  readonly deadlineAtMs: number;
}

/**
 * Why an attempt ended without a reply:
 * - `refused`, `connect_timeout`, `connect_failed`: no connection.
 * - `stale_connection`: a reused connection was closed before any byte of the reply; it may have idled too long.
 * - `reset`: a fresh connection was closed before the reply's head.
 * - `response_timeout`: no head in time. `bad_response`: the reply is not valid HTTP.
 */
export type FailureKind =
  | 'refused'
  | 'connect_timeout'
  | 'connect_failed'
  | 'stale_connection'
  | 'reset'
  | 'response_timeout'
  | 'bad_response';

const reasonOf: Readonly<Record<FailureKind, Reason>> = {
  refused: 'connect_failed',
  connect_timeout: 'connect_failed',
  connect_failed: 'connect_failed',
  stale_connection: 'reset',
  reset: 'reset',
  response_timeout: 'upstream_timeout',
  bad_response: 'bad_response',
};

/** One try on one endpoint. */
export class Attempt {
  readonly kind = 'attempt';
  readonly endpoint: Endpoint;
  readonly startedAtMs: number;
  /** The endpoint was ejected when it was picked, for want of a better one. */
  readonly onEjected: boolean;
  /** `committed`: bytes of the request may have left. */
  phase: 'picked' | 'connected' | 'committed' | 'replied' | 'over' = 'picked';
  /** Set when it failed: what went wrong, for people, and after how long. */
  failure:
    | { readonly kind: FailureKind | 'status'; readonly cause: string; readonly afterMs: number }
    | undefined;

  constructor(endpoint: Endpoint, startedAtMs: number) {
    this.endpoint = endpoint;
    this.startedAtMs = startedAtMs;
    this.onEjected = endpoint.ejection.state.kind !== 'in';
  }
}

/** No instance yet: call next() again when the upstream changes, or at the time given. */
export interface Wait {
  readonly kind: 'wait';
  readonly untilMs: number;
}

/** The agent must answer the request itself. */
export interface Failure {
  readonly kind: 'failure';
  readonly reason: Reason;
  /** The request reached nobody, so that the client may repeat it whatever its method. */
  readonly neverSent: boolean;
}

const noneTried: readonly Endpoint[] = [];

export class Exchange {
  readonly upstream: Upstream;
  readonly attempts: Attempt[] = [];
  readonly #facts: RequestFacts;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #deadlineAtMs: number;
  #admitted = false;
  #ended = false;
  /** Of the reply that is being passed on. */
  #status: number | undefined;
  #neverSent = true;
  #bodyLost = false;
  /** A status was judged worth a retry, and the budget has paid for it. */
  #retryGranted = false;
  #current: Attempt | undefined;
  #lastReason: Reason = 'no_instances';

  constructor(upstream: Upstream, facts: RequestFacts, clock: Clock) {
    this.upstream = upstream;
    this.#facts = facts;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    const { timeoutMs } = upstream.policy;
    this.#deadlineAtMs = Math.min(
      facts.deadlineAtMs,
      timeoutMs > 0 ? this.#startedAtMs + timeoutMs : Infinity,
    );
  }

  /** What to do now. After a `failure` the exchange has ended. */
  next(): Attempt | Wait | Failure {
    if (!this.#admitted && !this.#admit()) return this.#fail('overloaded');
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#deadlineAtMs) return this.#fail('deadline_exceeded');
    if (this.attempts.length > 0 && !this.#mayRetry(nowMs)) return this.#fail(this.#lastReason);
    const endpoint = this.#pick(nowMs);
    if (endpoint !== undefined) return this.#begin(endpoint, nowMs);
    return this.attempts.length > 0 ? this.#fail(this.#lastReason) : this.#wait(nowMs);
  }

  /** How long the current attempt may take from then (or now) until the reply's head; Infinity when there is no limit. */
  responseTimeoutMs(fromMs = this.#clock.nowMs()): number {
    const { responseTimeoutMs } = this.upstream.policy;
    const remainingMs = Math.max(0, this.#deadlineAtMs - fromMs);
    return Math.min(remainingMs, responseTimeoutMs > 0 ? responseTimeoutMs : Infinity);
  }

  connected(): void {
    if (this.#current?.phase === 'picked') this.#current.phase = 'connected';
  }

  /** Bytes of the request may have left: from here on only a repeatable request is retried. */
  committed(): void {
    if (this.#current === undefined) return;
    this.#current.phase = 'committed';
    this.#neverSent = false;
  }

  /** The body can no longer be sent again from its first byte. */
  bodyLost(): void {
    this.#bodyLost = true;
  }

  /**
   * The reply's head is here. `retry`: throw the reply away and call next(). `neverSent`: the reply says that it comes
   * from an intermediary and that no application has seen the request.
   */
  replied(status: number, neverSent = false): 'pass' | 'retry' {
    const attempt = this.#current;
    if (attempt === undefined) return 'pass';
    const nowMs = this.#clock.nowMs();
    const { endpoint } = attempt;
    endpoint.latency.observe(nowMs - attempt.startedAtMs, nowMs);
    if (status >= 500) this.upstream.failed(endpoint, `status ${status}`);
    else this.upstream.succeeded(endpoint);
    if (neverSent) this.#neverSent = this.attempts.length === 1;
    if (this.#retriesStatus(status, neverSent)) {
      this.#over(attempt, 'status', `status ${status}`);
      return 'retry';
    }
    attempt.phase = 'replied';
    this.#status = status;
    this.upstream.counters.latency.observe(nowMs - this.#startedAtMs);
    return 'pass';
  }

  /** The current attempt ended without a reply. Call next(). */
  failed(kind: FailureKind, cause: string): void {
    const attempt = this.#current;
    if (attempt === undefined) return;
    const { endpoint } = attempt;
    switch (kind) {
      case 'refused':
      case 'connect_timeout':
      case 'connect_failed':
      case 'reset':
        this.upstream.unreachable(endpoint, cause);
        break;
      case 'response_timeout':
        endpoint.latency.observe(this.#clock.nowMs() - attempt.startedAtMs, this.#clock.nowMs());
        this.upstream.failed(endpoint, cause);
        break;
      case 'stale_connection':
      case 'bad_response':
        this.upstream.failed(endpoint, cause);
        break;
    }
    const everyOneIsOut = attempt.onEjected && this.#neverSent;
    this.#lastReason = everyOneIsOut ? 'all_ejected' : reasonOf[kind];
    this.#over(attempt, kind, cause);
  }

  /** The reply was passed on to its end. */
  finished(): void {
    this.#end(this.#status);
  }

  /** The reply broke off; the client was told by a cut connection, or of the reason when its head had not been passed on. */
  cut(cause: string, reason: Reason = 'reset'): void {
    if (this.#ended) return;
    if (this.#current !== undefined) this.upstream.failed(this.#current.endpoint, cause);
    this.#end(reason);
  }

  /** The client went away; the instance is not to blame. */
  clientClosed(): void {
    this.#end('client_closed');
  }

  #admit(): boolean {
    const { counters, isFull } = this.upstream;
    if (isFull) return false;
    counters.inFlight++;
    this.#admitted = true;
    this.upstream.budget.deposit(this.#clock.nowMs());
    return true;
  }

  #pick(nowMs: number): Endpoint | undefined {
    const { tag } = this.#facts;
    if (this.attempts.length === 0) return this.upstream.pick(tag, noneTried, nowMs);
    const tried = this.attempts.map(({ endpoint }) => endpoint);
    const other = this.upstream.pick(tag, tried, nowMs);
    // A connection that idled too long says nothing against its instance: alone, it is tried again on a new one.
    const last = this.attempts.at(-1);
    if (other !== undefined || last?.failure?.kind !== 'stale_connection') return other;
    return last.endpoint.retired ? undefined : last.endpoint;
  }

  #begin(endpoint: Endpoint, nowMs: number): Attempt {
    const attempt = new Attempt(endpoint, nowMs);
    const { counters } = this.upstream;
    counters.attempts++;
    if (this.attempts.length > 0) counters.retries++;
    endpoint.counters.attempts++;
    endpoint.outstanding++;
    this.attempts.push(attempt);
    this.#current = attempt;
    return attempt;
  }

  #wait(nowMs: number): Wait | Failure {
    const { policy, lack } = this.upstream;
    const untilMs = Math.min(this.#startedAtMs + policy.waitTimeoutMs, this.#deadlineAtMs);
    if (nowMs < untilMs) return { kind: 'wait', untilMs };
    return this.#fail(lack);
  }

  /** The rules of a retry; the budget is asked last, for it pays when it says yes. */
  #mayRetry(nowMs: number): boolean {
    if (this.#retryGranted) {
      this.#retryGranted = false;
      return true;
    }
    if (this.attempts.length > this.upstream.policy.retries) return false;
    const { method, idempotencyKey } = this.#facts;
    const neverSent = this.#neverSent;
    const bodyLost = this.#bodyLost;
    if (!mayRepeat({ method, idempotencyKey, neverSent, bodyLost })) return false;
    return this.upstream.budget.withdraw(nowMs);
  }

  /** A reply is thrown away only while another instance is there to be asked. */
  #retriesStatus(status: number, neverSent: boolean): boolean {
    if (!neverSent && !this.upstream.policy.retryStatuses.includes(status)) return false;
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#deadlineAtMs || this.#pick(nowMs) === undefined) return false;
    this.#retryGranted = this.#mayRetry(nowMs);
    return this.#retryGranted;
  }

  #over(attempt: Attempt, kind: FailureKind | 'status', cause: string): void {
    attempt.failure = { kind, cause, afterMs: this.#clock.nowMs() - attempt.startedAtMs };
    attempt.phase = 'over';
    attempt.endpoint.outstanding--;
    this.#current = undefined;
  }

  #fail(reason: Reason): Failure {
    const neverSent = this.#neverSent;
    this.#end(reason);
    return { kind: 'failure', reason, neverSent };
  }

  /** Counts the request and gives back what it held, once. */
  #end(outcome: Outcome | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (outcome !== undefined) this.upstream.ended(outcome);
    if (this.#current !== undefined) {
      this.#current.phase = 'over';
      this.#current.endpoint.outstanding--;
      this.#current = undefined;
    }
    if (this.#admitted) this.upstream.counters.inFlight--;
  }
}
