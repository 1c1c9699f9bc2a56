// The part of the composition root for an agent with workers. Loaded only for one.
import type { Config } from '../../config/config.ts';
import { systemClock as clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import { systemRandom as random } from '../../core/random.ts';
import type { Registries } from '../../registry/registries.ts';
import type { CalledServices } from '../called-services.ts';
import { forkWorker } from './child.ts';
import { WorkerCalledServices } from './worker-called-services.ts';
import { Workers } from './workers.ts';

interface Deps {
  readonly registries: Registries;
  readonly own: CalledServices;
  readonly logger: Logger;
  /** The script that a worker runs. */
  readonly program: string;
  readonly reservedPort: () => number;
}

export function buildWorkers(
  config: Config,
  deps: Deps,
): { readonly proxy: Workers; readonly called: CalledServices } {
  const { registries, own, logger, program, reservedPort } = deps;
  const { listen, upstreamListeners, ownHosts, suffixes, passthrough, fastLane } = config;
  const { defaultPolicy, log } = config;
  const fork = (): ReturnType<typeof forkWorker> => forkWorker(program);
  const workers = new Workers(
    { fork, source: registries, clock, random, logger, reservedPort },
    {
      count: config.workers,
      order: {
        proxy: { listen, upstreamListeners, ownHosts, suffixes, passthrough, fastLane },
        policies: Object.entries(config.policies),
        defaultPolicy,
        log,
      },
    },
  );
  const called = new WorkerCalledServices({ workers, own, registries, clock });
  return { proxy: workers, called };
}
