// A file registry of its own for each test, and bare drivers on it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../../../src/core/clock.ts';
import { RegistryError } from '../../../../src/core/errors.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openFile } from '../../../../src/registry/drivers/file/driver.ts';
import { eventually } from '../../../support/eventually.ts';

export const service = 'payments';

/** Never aborts. */
export const calm = new AbortController().signal;

export class FileRegistry {
  readonly directory: string;
  readonly #endings: (() => Promise<void>)[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Removed when the test ends, after all that uses it has ended. */
  static async make(test: TestContext): Promise<FileRegistry> {
    const parent = await mkdtemp(join(tmpdir(), 'outrigger-test-'));
    const registry = new FileRegistry(join(parent, 'registry'));
    test.after(async () => {
      for (const end of registry.#endings) await end();
      await rm(parent, { recursive: true, force: true, maxRetries: 10 });
    });
    return registry;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  open(query = ''): Driver {
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const driver = openFile(`${pathToFileURL(this.directory).href}${query}`, deps);
    this.#endings.unshift(() => driver.close());
    return driver;
  }

  /** Follows the service until the test ends; again when that fails, as whoever uses a driver does. */
  async follow(driver: Driver): Promise<Following> {
    const ending = new AbortController();
    const following = new Following(await driver.read(service, calm));
    const follow = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        await driver
          .follow(service, following.latest, following, ending.signal)
          .catch((error: unknown) => {
            // The directory was removed while it was looked at.
            if (!(error instanceof RegistryError)) throw error;
          });
        await nextTurn();
      }
    };
    const ended = follow();
    this.#endings.unshift(async () => {
      ending.abort();
      await ended;
    });
    await eventually('following has begun', () => following.looks > 0);
    return following;
  }
}

/** All that a driver tells while following. */
export class Following {
  latest: Reading;
  /** How often the driver has looked. */
  looks = 0;
  /** The smallest number of instances in any reading since the start or the last reset. */
  fewest = Infinity;

  constructor(from: Reading) {
    this.latest = from;
  }

  changed(reading: Reading): void {
    this.latest = reading;
    this.fewest = Math.min(this.fewest, reading.instances.length);
    this.looks++;
  }

  confirmed(): void {
    this.looks++;
  }

  ids(): string {
    return idsOf(this.latest);
  }
}

export function idsOf(reading: Reading): string {
  return reading.instances
    .map(({ id }) => id)
    .sort()
    .join();
}
