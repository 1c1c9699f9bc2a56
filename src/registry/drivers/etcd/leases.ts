// The agent's leases: one for all instances with the same TTL, so that a heartbeat costs the same for one and for many.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { EtcdCalls } from './calls.ts';
import { EtcdRefusal } from './etcd-errors.ts';
import type { LeaseId } from './messages.ts';
import { SharedCall } from './shared-call.ts';

interface LeasesDeps {
  readonly clock: Clock;
  readonly calls: EtcdCalls;
}

/** The answer to a heartbeat. `writes`: how many records had been written when it began. */
interface Beat {
  readonly startedAtMs: number;
  readonly writes: number;
  readonly answer: SharedCall<BeatAnswer>;
  hasSucceeded: boolean;
}

type BeatAnswer =
  { readonly kind: 'gone' } | { readonly kind: 'alive'; readonly keys: ReadonlySet<string> };

interface SharedLease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  /** Its records: key → number of the write. */
  readonly keys: Map<string, number>;
  /** Writes under way. */
  writing: number;
  /** Kept alive then, or granted. */
  aliveAtMs: number;
  beat: Beat | undefined;
}

/** Renewals within this share of the TTL are answered by one heartbeat: with beats each third of a TTL, that is one each. */
const beatShare = 1 / 4;

export class Leases {
  readonly #clock: Clock;
  readonly #calls: EtcdCalls;
  /** By TTL in ms, a whole number of seconds. */
  readonly #leases = new Map<number, SharedLease>();
  readonly #granting = new Map<number, SharedCall<SharedLease>>();
  readonly #leaseOf = new Map<string, SharedLease>();
  #writes = 0;

  constructor({ clock, calls }: LeasesDeps) {
    this.#clock = clock;
    this.#calls = calls;
  }

  /** Writes the record under the lease for this TTL. */
  async write(
    record: { readonly key: string; readonly value: string },
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const lease = await this.#leaseFor(ttlMs, signal);
    if (await this.#writeUnder(lease, record, signal)) return;
    // The cluster had lost that lease, so this one is new.
    const next = await this.#leaseFor(ttlMs, signal);
    if (await this.#writeUnder(next, record, signal)) return;
    throw new RegistryError('registry_unavailable', 'etcd: a lease was lost as soon as granted');
  }

  async renew(key: string, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const lease = this.#leaseOf.get(key);
    if (lease === undefined || lease.ttlMs !== wholeSeconds(ttlMs)) return 'gone';
    const beat = this.#beatOf(lease);
    const answer = await this.#answerOf(lease, beat, signal);
    const write = lease.keys.get(key);
    if (answer.kind === 'gone' || write === undefined) return 'gone';
    // What was written after the heartbeat began need not be in its answer.
    if (write > beat.writes || answer.keys.has(key)) return 'ok';
    this.#unbind(key);
    return 'gone';
  }

  /** Forgets the record. Returns the lease that has nothing left, which the caller must revoke. */
  forget(key: string): LeaseId | undefined {
    const lease = this.#unbind(key);
    if (lease === undefined || lease.keys.size > 0 || lease.writing > 0) return undefined;
    this.#drop(lease);
    return lease.id;
  }

  /** A lease that lives for most of its TTL from now on. */
  async #leaseFor(ttlMs: number, signal: AbortSignal): Promise<SharedLease> {
    const wholeMs = wholeSeconds(ttlMs);
    const known = this.#leases.get(wholeMs);
    if (known !== undefined) {
      if (this.#isRecent(known, known.aliveAtMs)) return known;
      const answer = await this.#answerOf(known, this.#beatOf(known), signal);
      // It may have been dropped meanwhile, with its last record.
      if (answer.kind === 'alive' && this.#leases.get(wholeMs) === known) return known;
    }
    let granting = this.#granting.get(wholeMs);
    if (granting?.isOver !== false) {
      granting = new SharedCall((ending) => this.#grant(wholeMs, ending));
      this.#granting.set(wholeMs, granting);
    }
    return granting.join(signal);
  }

  async #grant(ttlMs: number, signal: AbortSignal): Promise<SharedLease> {
    const aliveAtMs = this.#clock.nowMs();
    const id = await this.#calls.grantLease(ttlMs / 1000, signal);
    const lease = { id, ttlMs, keys: new Map(), writing: 0, aliveAtMs, beat: undefined };
    this.#leases.set(ttlMs, lease);
    return lease;
  }

  async #writeUnder(
    lease: SharedLease,
    { key, value }: { readonly key: string; readonly value: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    lease.writing++;
    try {
      await this.#calls.put(key, value, { leaseId: lease.id }, signal);
    } catch (error) {
      if (!(error instanceof EtcdRefusal && error.isLeaseGone)) throw error;
      this.#drop(lease);
      return false;
    } finally {
      lease.writing--;
    }
    if (this.#leaseOf.get(key) !== lease) this.#unbind(key);
    this.#leaseOf.set(key, lease);
    lease.keys.set(key, ++this.#writes);
    return true;
  }

  /** The heartbeat that answers for now: a recent one that succeeded or is under way, or a new one. */
  #beatOf(lease: SharedLease): Beat {
    const { beat } = lease;
    if (beat !== undefined && this.#isRecent(lease, beat.startedAtMs)) {
      if (beat.hasSucceeded || !beat.answer.isOver) return beat;
    }
    const startedAtMs = this.#clock.nowMs();
    const next: Beat = {
      startedAtMs,
      writes: this.#writes,
      answer: new SharedCall(async (ending) => {
        const answer = await this.#ask(lease, ending);
        next.hasSucceeded = true;
        lease.aliveAtMs = startedAtMs;
        return answer;
      }),
      hasSucceeded: false,
    };
    lease.beat = next;
    return next;
  }

  #isRecent(lease: SharedLease, atMs: number): boolean {
    return this.#clock.nowMs() - atMs < lease.ttlMs * beatShare;
  }

  async #ask({ id }: SharedLease, signal: AbortSignal): Promise<BeatAnswer> {
    // A record that somebody else removed is missed only by asking for it.
    const [alive, keys] = await Promise.all([
      this.#calls.keepAlive(id, signal),
      this.#calls.leaseKeys(id, signal),
    ]);
    return alive ? { kind: 'alive', keys } : { kind: 'gone' };
  }

  async #answerOf(lease: SharedLease, beat: Beat, signal: AbortSignal): Promise<BeatAnswer> {
    const answer = await beat.answer.join(signal);
    if (answer.kind === 'gone') this.#drop(lease);
    return answer;
  }

  /** The lease has ended, or is to end, and its records with it. */
  #drop(lease: SharedLease): void {
    if (this.#leases.get(lease.ttlMs) === lease) this.#leases.delete(lease.ttlMs);
    for (const key of lease.keys.keys()) this.#leaseOf.delete(key);
    lease.keys.clear();
  }

  #unbind(key: string): SharedLease | undefined {
    const lease = this.#leaseOf.get(key);
    lease?.keys.delete(key);
    this.#leaseOf.delete(key);
    return lease;
  }
}

/** Leases last whole seconds; rounded up so that no heartbeat comes too late. */
function wholeSeconds(ttlMs: number): number {
  return Math.ceil(ttlMs / 1000) * 1000;
}
