// When an instance's lease was renewed, as its registry shows it: not what the agent believes.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../test/servers/redis.ts';

const looksPerHeartbeat = 8;

/** The moment of the latest renewal in ms since 1970, or undefined when the registry has no living record. */
export type LastRenewal = () => Promise<number | undefined>;

/** Of the only instance of a service in a file: registry. */
export function renewalInDirectory(directory: string, service: string, ttlMs: number): LastRenewal {
  const folder = join(directory, 'hb', service);
  return async () => {
    try {
      const [name = ''] = readdirSync(folder);
      return ifAlive(statSync(join(folder, name)).mtimeMs, ttlMs);
    } catch {
      return undefined;
    }
  };
}

/** Of the only instance of a service in Redis, where the end of its lease is kept. */
export function renewalInRedis(redis: RedisServer, service: string, ttlMs: number): LastRenewal {
  return async () => {
    const answer = await redis.command('ZRANGE', `sd:{${service}}:x`, '0', '0', 'WITHSCORES');
    // Pairs are nested or not, as the version of the protocol has it.
    const [, end] = (answer as unknown[]).flat();
    return end === undefined ? undefined : ifAlive(Number(end) - ttlMs, ttlMs);
  };
}

function ifAlive(atMs: number, ttlMs: number): number | undefined {
  return Date.now() - atMs > ttlMs ? undefined : atMs;
}

export interface Renewals {
  readonly seen: number;
  /** Renewals that came more than one heartbeat too late, or not at all. */
  readonly missed: number;
  readonly longestMs: number;
  /** How often the registry had the record no more. */
  readonly losses: number;
}

/** Counts renewals from what the registry has at one time after another. */
export class RenewalCount {
  readonly #heartbeatMs: number;
  readonly #figures = { seen: 0, missed: 0, longestMs: 0, losses: 0 };
  #renewedMs: number | undefined;
  #isThere = false;

  constructor({ heartbeatMs }: { readonly heartbeatMs: number }) {
    this.#heartbeatMs = heartbeatMs;
  }

  get figures(): Renewals {
    return { ...this.#figures };
  }

  /** The latest renewal that is known now, or undefined when there is no living record. The first one begins the count. */
  saw(renewedMs: number | undefined): void {
    if (this.#isThere && renewedMs === undefined) this.#figures.losses++;
    this.#isThere = renewedMs !== undefined;
    if (renewedMs === undefined || renewedMs === this.#renewedMs) return;
    if (this.#renewedMs !== undefined) {
      this.#figures.seen++;
      this.#passed(renewedMs - this.#renewedMs);
    }
    this.#renewedMs = renewedMs;
  }

  /** Nothing is looked at from now on: one that is overdue will not be seen any more. */
  end(nowMs: number): void {
    this.#passed(nowMs - (this.#renewedMs ?? nowMs));
  }

  /** Adds what a time without a renewal means. */
  #passed(waitedMs: number): void {
    this.#figures.longestMs = Math.max(this.#figures.longestMs, waitedMs);
    this.#figures.missed += Math.max(0, Math.floor(waitedMs / this.#heartbeatMs) - 1);
  }
}

/** Looks several times a heartbeat until `stop`. */
export class RenewalWatch {
  readonly #last: LastRenewal;
  readonly #heartbeatMs: number;
  readonly #count: RenewalCount;
  readonly #stopping = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(last: LastRenewal, { heartbeatMs }: { readonly heartbeatMs: number }) {
    this.#last = last;
    this.#heartbeatMs = heartbeatMs;
    this.#count = new RenewalCount({ heartbeatMs });
  }

  get figures(): Renewals {
    return this.#count.figures;
  }

  /** Resolves when the instance is registered; what comes then is counted. */
  async start(): Promise<void> {
    let renewedMs: number | undefined;
    while (renewedMs === undefined) {
      renewedMs = await this.#last();
      await sleep(20);
    }
    this.#count.saw(renewedMs);
    this.#watching = this.#watch();
  }

  /**
   * Resolves soon after a renewal, when the next one is a heartbeat away: the moment for what stops the agent for a while. Or
   * when none has come for three heartbeats.
   */
  async renewed(): Promise<void> {
    const { seen } = this.figures;
    for (let look = 0; look < 3 * looksPerHeartbeat && this.figures.seen === seen; look++) {
      await sleep(this.#heartbeatMs / looksPerHeartbeat);
    }
  }

  async stop(): Promise<Renewals> {
    this.#stopping.abort();
    await this.#watching;
    this.#count.end(Date.now());
    return this.figures;
  }

  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#count.saw(await this.#last());
      await sleep(this.#heartbeatMs / looksPerHeartbeat);
    }
  }
}
