// Follows one service by blocking queries: one waits at the agent until something changes, and then the next one does.
import type { Clock } from '../../../core/clock.ts';
import { between, type Random } from '../../../core/random.ts';
import type { FollowSink, Reading } from '../../driver.ts';
import { Pause } from '../../pause.ts';
import { TokenBucket } from '../../token-bucket.ts';
import type { Indexed } from './agent.ts';
import { parseVersion, readingFrom, type Version } from './reading.ts';

export interface HealthList extends Indexed {
  /** The agent has only just returned: what is missing may be well. */
  readonly isReturn: boolean;
}

export interface FollowerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly sink: FollowSink;
  /** The list when the index has gone beyond `index`, or after a time without news; at once for `index` 0. */
  readonly listAfter: (index: number, signal: AbortSignal) => Promise<HealthList>;
}

export interface FollowerOptions {
  readonly service: string;
  readonly from: Reading;
  /** Does not let queries wait at the agent but asks so often. */
  readonly pollMs?: number;
}

/** How often queries may come back with a change: a burst is one deploy, the rate is for a fleet that churns. */
const changes = { tokensPerSecond: 20, burst: 20 };
/** And without one: Consul wakes the queries for a service without instances at every change of any service. */
const wakes = { tokensPerSecond: 1, burst: 4 };
/** Besides, every answer is the whole list, and costs the agent and us as much as it is long. */
const perInstanceMs = 1;
const sizePauseMaxMs = 5000;

export class Follower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowerOptions;
  readonly #pause: Pause;
  readonly #changes = new TokenBucket(changes);
  readonly #wakes = new TokenBucket(wakes);
  #seen: Version;
  #instances: number;

  constructor(deps: FollowerDeps, options: FollowerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pause = new Pause(deps.clock);
    this.#seen = parseVersion(options.from.version);
    this.#instances = options.from.instances.length;
  }

  /** The index of the last answer. */
  get index(): number {
    return this.#seen.index;
  }

  /** Resolves when the signal aborts; rejects when the agent could not be asked. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const { pollMs } = this.#options;
    let from = this.#seen.index;
    try {
      while (!signal.aborted) {
        if (pollMs !== undefined) await this.#rest(pollMs, signal);
        const answer = await this.#ask(pollMs === undefined ? from : 0, signal);
        const isChanged = this.#take(answer);
        // An index that goes backwards belongs to another history: nothing can be waited for in it.
        from = answer.index < from ? 0 : answer.index;
        const bucket = isChanged ? this.#changes : this.#wakes;
        const pauseMs = Math.min(perInstanceMs * this.#instances, sizePauseMaxMs);
        await this.#pause.for(Math.max(pauseMs, bucket.takeMs(clock.nowMs())), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /**
   * A list that became empty is asked for once more without waiting: agents answer a query that waits from an event stream,
   * which does not tell that it lacks what the token may not read any more, or that there is no leader.
   */
  async #ask(from: number, signal: AbortSignal): Promise<HealthList> {
    const answer = await this.#deps.listAfter(from, signal);
    const isEmptied = this.#instances > 0 && Array.isArray(answer.body) && answer.body.length === 0;
    return isEmptied && from > 0 ? this.#deps.listAfter(0, signal) : answer;
  }

  #take(answer: HealthList): boolean {
    const { sink } = this.#deps;
    const reading = readingFrom(this.#options.service, answer);
    const isReset = answer.isReturn || answer.index < this.#seen.index;
    const version = parseVersion(reading.version);
    const isChanged = version.hash !== this.#seen.hash;
    this.#seen = version;
    this.#instances = reading.instances.length;
    if (isChanged) sink.changed(isReset ? { ...reading, reset: true } : reading);
    else sink.confirmed();
    return isChanged;
  }

  #rest(pollMs: number, signal: AbortSignal): Promise<void> {
    return this.#pause.for(between(this.#deps.random, 0.8, 1.2) * pollMs, signal);
  }
}
