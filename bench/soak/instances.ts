// The instances of `web` in the soak's registry: one goes and another comes, again and again.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '../../src/core/clock.ts';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import { systemRandom as random } from '../../src/core/random.ts';
import type { Driver } from '../../src/registry/driver.ts';
import { openDriver } from '../../src/registry/open.ts';

/** Longer than any soak: the heartbeats that matter are the agent's. */
const ttlMs = 24 * 3_600_000;
const everyMs = 3000;

export class Instances {
  readonly #url: string;
  readonly #ports: readonly number[];
  readonly #atOnce: number;
  readonly #stopping = new AbortController();
  readonly #living: Instance[] = [];
  #driver: Driver | undefined;
  #changing: Promise<void> = Promise.resolve();
  #count = 0;

  /** The ports answer all the time; `atOnce` of them are registered. */
  constructor(
    url: string,
    { ports, atOnce }: { readonly ports: readonly number[]; readonly atOnce: number },
  ) {
    this.#url = url;
    this.#ports = ports;
    this.#atOnce = atOnce;
  }

  /** How many have come or gone since the first ones. */
  get changes(): number {
    return 2 * (this.#count - this.#atOnce);
  }

  async start(): Promise<void> {
    this.#driver = await openDriver(this.#url, { clock, random, logger });
    for (let n = 0; n < this.#atOnce; n++) await this.#add(this.#driver);
    this.#changing = this.#change(this.#driver);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#changing;
    await this.#driver?.close();
  }

  async #change(driver: Driver): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#add(driver);
      const first = this.#living.shift();
      if (first !== undefined) await driver.release(first, deadline());
    }
  }

  async #add(driver: Driver): Promise<void> {
    const number = this.#count++;
    const port = this.#ports[number % this.#ports.length] ?? 0;
    const id = `web-${number}`;
    const instance = { service: 'web', id, host: '127.0.0.1', port, startedAtMs: clock.wallMs() };
    const one: Instance = { ...instance, weight: 1, tags: [], meta: {} };
    this.#living.push(one);
    await driver.acquire(one, ttlMs, deadline());
  }
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(10_000);
}
