// The worker's source of Snapshots: what it watches it asks the control process for, and keeps what it is sent.
import type { Clock } from '../../core/clock.ts';
import { RegistryError } from '../../core/errors.ts';
import { unknownSnapshot, type Snapshot } from '../../core/snapshot.ts';
import type { SnapshotSource } from '../../upstream/upstreams.ts';
import type { FromWorker, SentSnapshot } from './messages.ts';

export interface FedSourceDeps {
  readonly clock: Clock;
  readonly send: (message: FromWorker) => void;
}

interface Watch {
  readonly onSnapshot: (snapshot: Snapshot) => void;
  latest: Snapshot;
}

interface Question {
  readonly id: number;
  readonly answer: Promise<readonly string[]>;
  readonly settle: (names: readonly string[] | null) => void;
}

export class FedSource implements SnapshotSource {
  readonly #deps: FedSourceDeps;
  /** One a service: Upstreams watches none twice. */
  readonly #watches = new Map<string, Watch>();
  #trouble: string | null = null;
  #question: Question | undefined;
  #lastQuestion = 0;

  constructor(deps: FedSourceDeps) {
    this.#deps = deps;
  }

  /** What is known at once is nothing; the control process answers soon. */
  watch(service: string, onSnapshot: (snapshot: Snapshot) => void, signal: AbortSignal): void {
    const { clock, send } = this.#deps;
    const watch = { onSnapshot, latest: unknownSnapshot(service, clock.nowMs()) };
    this.#watches.set(service, watch);
    signal.addEventListener('abort', () => {
      if (this.#watches.get(service) !== watch) return;
      this.#watches.delete(service);
      send({ kind: 'unwatch', service });
    });
    onSnapshot(watch.latest);
    send({ kind: 'watch', service });
  }

  snapshot(service: string): Snapshot | undefined {
    return this.#watches.get(service)?.latest;
  }

  /** Rejects with a RegistryError when the registry cannot be asked. One question is open at a time, whoever asks. */
  names(): Promise<readonly string[]> {
    this.#question ??= this.#ask();
    return this.#question.answer;
  }

  reportUnreachable(service: string, instance: string): void {
    this.#deps.send({ kind: 'unreachable', service, instance });
  }

  /** Takes over what was sent; what is no longer watched is passed by. */
  take(snapshots: readonly SentSnapshot[]): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const { ageMs, ...parts } of snapshots) {
      const watch = this.#watches.get(parts.service);
      if (watch === undefined) continue;
      watch.latest = Object.freeze({ ...parts, confirmedAtMs: nowMs - ageMs });
      watch.onSnapshot(watch.latest);
    }
  }

  trouble(): string | undefined {
    return this.#trouble ?? undefined;
  }

  /** The lists are still right, as of these ages. `trouble`: why no newer ones can be had; null when they can. */
  confirm(
    ages: readonly (readonly [service: string, ageMs: number])[],
    trouble: string | null,
  ): void {
    this.#trouble = trouble;
    const nowMs = this.#deps.clock.nowMs();
    for (const [service, ageMs] of ages) {
      const watch = this.#watches.get(service);
      if (watch === undefined) continue;
      watch.latest = Object.freeze({ ...watch.latest, confirmedAtMs: nowMs - ageMs });
    }
  }

  answerNames(id: number, names: readonly string[] | null): void {
    if (this.#question?.id !== id) return;
    const { settle } = this.#question;
    this.#question = undefined;
    settle(names);
  }

  #ask(): Question {
    const id = ++this.#lastQuestion;
    let settle: Question['settle'] = () => undefined;
    const answer = new Promise<readonly string[]>((resolve, reject) => {
      settle = (names) => {
        if (names !== null) resolve(names);
        else reject(new RegistryError('registry_unreachable', 'no names of services can be had'));
      };
    });
    this.#deps.send({ kind: 'names', id });
    return { id, answer, settle };
  }
}
