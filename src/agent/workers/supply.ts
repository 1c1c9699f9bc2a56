// The Supply: what one worker watches, and the Snapshots that it is sent, never more than it takes.
import type { Clock, Timer } from '../../core/clock.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import type { SnapshotSource } from '../../upstream/upstreams.ts';
import type { SentSnapshot, ToWorker } from './messages.ts';

export interface SupplyDeps {
  readonly source: Pick<SnapshotSource, 'watch' | 'snapshot' | 'trouble'>;
  readonly clock: Clock;
  /** Calls back when the message has left this process, or cannot. */
  readonly send: (message: ToWorker, onSent: () => void) => void;
}

/** How often a worker learns that unchanged lists were confirmed, or why they are not; only what it shows depends on it. */
const confirmEveryMs = 1000;

/**
 * One message is on its way at a time. While a worker does not take it, changes replace each other: what waits is at most the
 * latest Snapshot of each service, and those are shared with the registry's own memory.
 */
export class Supply {
  readonly #deps: SupplyDeps;
  readonly #watches = new Map<string, AbortController>();
  readonly #waiting = new Map<string, Snapshot>();
  /** By service, the confirmation that the worker knows of. */
  readonly #confirmedAtMs = new Map<string, number>();
  /** What the worker knows of it. */
  #trouble: string | null = null;
  #isSending = false;
  #timer: Timer | undefined;

  constructor(deps: SupplyDeps) {
    this.#deps = deps;
  }

  watch(service: string): void {
    if (this.#watches.has(service)) return;
    const watching = new AbortController();
    this.#watches.set(service, watching);
    this.#deps.source.watch(service, (snapshot) => this.#put(snapshot), watching.signal);
    this.#timer ??= this.#deps.clock.after(confirmEveryMs, () => this.#confirm());
  }

  unwatch(service: string): void {
    this.#watches.get(service)?.abort();
    this.#watches.delete(service);
    this.#waiting.delete(service);
    this.#confirmedAtMs.delete(service);
  }

  close(): void {
    for (const service of [...this.#watches.keys()]) this.unwatch(service);
    this.#timer?.cancel();
  }

  #put(snapshot: Snapshot): void {
    this.#waiting.set(snapshot.service, snapshot);
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    if (this.#isSending || this.#waiting.size === 0) return;
    const nowMs = this.#deps.clock.nowMs();
    const snapshots = [...this.#waiting.values()].map((snapshot) => sent(snapshot, nowMs));
    for (const { service, confirmedAtMs } of this.#waiting.values()) {
      this.#confirmedAtMs.set(service, confirmedAtMs);
    }
    this.#waiting.clear();
    this.#send({ kind: 'snapshots', snapshots });
  }

  #send(message: ToWorker): void {
    this.#isSending = true;
    this.#deps.send(message, () => {
      this.#isSending = false;
      this.#sendWaiting();
    });
  }

  #confirm(): void {
    const { clock, source } = this.#deps;
    this.#timer =
      this.#watches.size === 0
        ? undefined
        : clock.after(confirmEveryMs, () => {
            this.#confirm();
          });
    if (this.#isSending) return;
    const ages = this.#newAges(clock.nowMs());
    const trouble = source.trouble() ?? null;
    if (ages.length === 0 && trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#send({ kind: 'confirmed', ages, trouble });
  }

  #newAges(nowMs: number): [service: string, ageMs: number][] {
    return [...this.#confirmedAtMs].flatMap(([service, knownAtMs]) => {
      const confirmedAtMs = this.#deps.source.snapshot(service)?.confirmedAtMs ?? knownAtMs;
      if (confirmedAtMs === knownAtMs) return [];
      this.#confirmedAtMs.set(service, confirmedAtMs);
      return [[service, nowMs - confirmedAtMs]];
    });
  }
}

function sent({ confirmedAtMs, ...parts }: Snapshot, nowMs: number): SentSnapshot {
  return { ...parts, ageMs: nowMs - confirmedAtMs };
}
