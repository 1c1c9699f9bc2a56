// A process that registers one instance: the one that the contract suite kills, stops, or lets end by itself.
import { systemClock } from '../../src/core/clock.ts';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom } from '../../src/core/random.ts';
import type { LeaseTiming } from '../../src/registry/lease.ts';
import { openDriver } from '../../src/registry/open.ts';
import { Registry } from '../../src/registry/registry.ts';

export interface HolderOptions {
  readonly url: string;
  readonly instance: Instance;
  readonly timing: LeaseTiming;
  /**
   * - `hold`: keeps the lease until the process is killed or its stdin ends.
   * - `once`: registers, waits until it sees itself, releases and closes; then nothing keeps the process from ending.
   */
  readonly mode: 'hold' | 'once';
}

const { url, instance, timing, mode } = JSON.parse(process.argv[2] ?? '') as HolderOptions;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
const lease = registry.lease(instance, timing);
const registered = new Promise<void>((resolve) => {
  lease.onChange(() => {
    if (lease.state.kind !== 'active') return;
    process.stdout.write('active\n');
    resolve();
  });
});
lease.acquire();

if (mode === 'hold') {
  process.stdin.on('end', () => process.exit(0)).resume();
} else {
  await registered;
  const leaving = new AbortController();
  await new Promise<void>((resolve) => {
    registry.watch(
      instance.service,
      ({ instances }) => {
        if (instances.some(({ id }) => id === instance.id)) resolve();
      },
      leaving.signal,
    );
  });
  leaving.abort();
  await lease.release(2000);
  await registry.close();
}
