// Keeps the fleet up to date for all who read and follow: one question at a time, and none while the last answer will do.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { between, type Random } from '../../../core/random.ts';
import type { EurekaCalls } from './calls.ts';
import type { Fleet } from './fleet.ts';

export interface FleetPollDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly calls: Pick<EurekaCalls, 'all' | 'changes'>;
  readonly fleet: Fleet;
}

/** A reader is content with an answer that was asked for so long ago, so that many of them ask once. */
const freshMs = 1000;
/** Servers tell the changes of 3 minutes, through caches that may be half a minute old; within this none is missed. */
const changesKnownMs = 60_000;
/** For the whole list of a large fleet over a slow line. */
const pollMaxMs = 30_000;

export class FleetPoll {
  readonly #deps: FleetPollDeps;
  readonly #pollMs: number;
  readonly #closing = new AbortController();
  #underWay: Promise<void> | undefined;
  /** When the latest question with a good answer was asked. */
  #askedMs = -Infinity;
  #dueMs = -Infinity;

  constructor(deps: FleetPollDeps, options: { readonly pollMs: number }) {
    this.#deps = deps;
    this.#pollMs = options.pollMs;
  }

  /** When followers should ask again; the same for all of them. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** For reading: the fleet is as it was at most a moment ago. Rejects with a RegistryError. */
  async refresh(signal: AbortSignal): Promise<void> {
    if (this.#deps.clock.nowMs() - this.#askedMs >= freshMs) await this.#join(signal);
  }

  /** For following: asks only when it is due. Rejects with a RegistryError. */
  async keepUp(signal: AbortSignal): Promise<void> {
    if (this.#deps.clock.nowMs() >= this.#dueMs) await this.#join(signal);
  }

  /** The changes were not all: the next question is for the whole list. */
  distrustChanges(): void {
    this.#askedMs = -Infinity;
  }

  /** Ends the question that is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new RegistryError('registry_unreachable', 'closed'));
    await this.#underWay?.catch(() => undefined);
  }

  /** The question goes on when one of those who wait for it gives up: the whole list may take longer than each of them. */
  #join(signal: AbortSignal): Promise<void> {
    this.#underWay ??= this.#poll().finally(() => (this.#underWay = undefined));
    const answered = this.#underWay;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new RegistryError('registry_unreachable', 'cancelled'));
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      answered.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  async #poll(): Promise<void> {
    const { clock, random } = this.#deps;
    const ending = new AbortController();
    const end = (): void => ending.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener('abort', end, { once: true });
    if (this.#closing.signal.aborted) end();
    const deadline = clock.after(pollMaxMs, () => {
      ending.abort(new RegistryError('registry_timeout', `no answer within ${pollMaxMs} ms`));
    });
    const startedMs = clock.nowMs();
    try {
      await this.#ask(startedMs, ending.signal);
      this.#askedMs = startedMs;
      this.#dueMs = startedMs + this.#pollMs * between(random, 0.9, 1.1);
    } catch (error) {
      this.#dueMs = -Infinity;
      throw error;
    } finally {
      deadline.cancel();
      this.#closing.signal.removeEventListener('abort', end);
    }
  }

  async #ask(nowMs: number, signal: AbortSignal): Promise<void> {
    const { calls, fleet } = this.#deps;
    const changes =
      nowMs - this.#askedMs < changesKnownMs ? await calls.changes(signal) : undefined;
    if (changes !== undefined && fleet.apply(changes)) return;
    fleet.replace(await calls.all(signal), changes !== undefined);
  }
}
