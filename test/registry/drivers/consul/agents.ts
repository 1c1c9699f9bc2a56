// Drivers and watchers on a Consul server for the tests of this folder, ended together.
import { systemClock } from '../../../../src/core/clock.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver } from '../../../../src/registry/driver.ts';
import { openDriver } from '../../../../src/registry/open.ts';
import { Registry } from '../../../../src/registry/registry.ts';
import { Recorder } from '../../../contract/world.ts';
import { eventually } from '../../../support/eventually.ts';

export { instanceOf } from '../../../contract/world.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

export class Agents {
  readonly #endings: (() => Promise<void> | void)[] = [];

  async driver(url: string, logger = silentLogger): Promise<Driver> {
    const driver = await openDriver(url, { ...deps, logger });
    this.#endings.unshift(() => driver.close());
    return driver;
  }

  async registry(url: string): Promise<Registry> {
    const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
    this.#endings.unshift(() => registry.close());
    return registry;
  }

  /** Resolves when the watcher has its first answer. */
  async watch(url: string, service: Instance['service']): Promise<Recorder> {
    const recorder = new Recorder(await this.registry(url), service);
    this.#endings.unshift(() => recorder.stop());
    await eventually('a first answer', () => recorder.latest.state === 'live');
    return recorder;
  }

  async close(): Promise<void> {
    for (const ending of this.#endings.splice(0)) await ending();
  }
}
