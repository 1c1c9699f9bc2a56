// The agent of the fleet benchmark that watches a few services of the fleet, and tells what that costs it.
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { systemClock as clock } from '../src/core/clock.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import type { Driver } from '../src/registry/driver.ts';
import { openDriver } from '../src/registry/open.ts';
import { Registry } from '../src/registry/registry.ts';
import { answerParent } from './fleet-child.ts';

/** Since the process's start; `instances` now. */
export interface WatcherFigures {
  readonly cpuMs: number;
  /** Lists that the core asked the driver for. */
  readonly reads: number;
  /** Changed lists that the driver told while it followed. */
  readonly changes: number;
  /** Lists that the watchers were given. */
  readonly snapshots: number;
  /** Read from sockets and files, and in how many reads. */
  readonly receivedBytes: number;
  readonly receives: number;
  /** In all watched lists that are live. */
  readonly instances: number;
}

export interface WatcherQuestions {
  figures: WatcherFigures;
}

const [url = 'file:', watched = '0'] = process.argv.slice(2);
const services = Array.from({ length: Number(watched) }, (_, index) => `fleet-${index}`);
const counts = { reads: 0, changes: 0, snapshots: 0 };

/** The driver itself, with what goes through it counted. */
function counted(driver: Driver): Driver {
  return {
    url: driver.url,
    capabilities: driver.capabilities,
    acquire: driver.acquire.bind(driver),
    renew: driver.renew.bind(driver),
    release: driver.release.bind(driver),
    names: driver.names.bind(driver),
    close: driver.close.bind(driver),
    read: (service, signal) => {
      counts.reads++;
      return driver.read(service, signal);
    },
    follow: (service, from, sink, signal) => {
      const counting = {
        confirmed: () => sink.confirmed(),
        changed: (reading: Parameters<typeof sink.changed>[0]) => {
          counts.changes++;
          sink.changed(reading);
        },
      };
      return driver.follow(service, from, counting, signal);
    },
  };
}

const driver = counted(await openDriver(url, { clock, random, logger }));
const registry = new Registry({ driver, clock, random, logger });
const never = new AbortController().signal;
setMaxListeners(services.length, never);
const countSnapshot = (): void => {
  counts.snapshots++;
};
for (const service of services) registry.watch(service, countSnapshot, never);

answerParent(async () => figures());

function figures(): WatcherFigures {
  const { user, system } = process.cpuUsage();
  const io = readFileSync('/proc/self/io', 'utf8');
  const ioFigure = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1]);
  const live = services
    .map((service) => registry.snapshot(service))
    .filter((snapshot) => snapshot?.state === 'live');
  return {
    cpuMs: (user + system) / 1000,
    ...counts,
    receivedBytes: ioFigure('rchar'),
    receives: ioFigure('syscr'),
    instances: live.reduce((sum, snapshot) => sum + (snapshot?.instances.length ?? 0), 0),
  };
}
