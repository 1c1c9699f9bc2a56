// What the tests of the etcd driver share: drivers on real time, instances, and followers that keep what they were told.
import { systemClock } from '../../../../src/core/clock.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openEtcd } from '../../../../src/registry/drivers/etcd/driver.ts';

export const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

export function openDriver(url: string): Driver {
  return openEtcd(url, deps);
}

export function soon(): AbortSignal {
  return AbortSignal.timeout(5000);
}

export function instance(id: string, changes: Partial<Instance> = {}): Instance {
  return {
    service: 'payments',
    id,
    host: '10.0.0.1',
    port: 8080,
    weight: 1,
    tags: [],
    meta: {},
    ...changes,
  };
}

export function idsOf(reading: Reading | undefined): readonly string[] {
  return (reading?.instances ?? []).map(({ id }) => id).sort();
}

/** A running `follow` and everything that it told. */
export class Following {
  readonly readings: Reading[] = [];
  confirmations = 0;
  /** Undefined while it runs; `done` after its signal. */
  ending: 'done' | Error | undefined;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;

  constructor(driver: Driver, service: string, from: Reading) {
    const sink = {
      changed: (reading: Reading): void => void this.readings.push(reading),
      confirmed: (): void => {
        this.confirmations++;
      },
    };
    this.#running = driver.follow(service, from, sink, this.#abort.signal).then(
      () => {
        this.ending = 'done';
      },
      (error: unknown) => {
        this.ending = error instanceof Error ? error : new Error(String(error));
      },
    );
  }

  get latest(): Reading | undefined {
    return this.readings.at(-1);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}
