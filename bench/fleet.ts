// What a fleet costs its registry, and what it costs an agent that watches a small part of it; and the same ten times as large.
//
//   npm run bench:fleet [-- --only redis,etcd] [-- --services N] [-- --json]
//
// Linux only: processor time and memory are those of /proc. The default run takes at most 8 minutes.
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureFleet, type FleetRow, type FleetSize } from './fleet-measure.ts';
import { serverNames, startServer, whyMissing } from './fleet-servers.ts';
import { printFleets } from './fleet-table.ts';

const instancesPerService = 10;
const agentsMax = 1000;
const holders = 4;
const watched = 20;
const growth = 10;
const runMaxMs = 8 * 60_000;

/**
 * The same times for all registries, so that they can be compared. All agents share the machine with the registry, and the
 * larger fleet could not renew its leases so often there.
 */
const sizes = {
  first: { factor: 1, ttlSeconds: 30, heartbeatSeconds: 10, registerDeadlineMs: 15_000 },
  grown: { factor: growth, ttlSeconds: 90, heartbeatSeconds: 30, registerDeadlineMs: 40_000 },
} as const;

function sizesOf(services: number): readonly FleetSize[] {
  return [sizes.first, sizes.grown].map(({ factor, ...rest }) => ({
    ...rest,
    services: services * factor,
    instancesPerService,
    // No more of them in the larger fleet: each has more instances.
    agents: Math.min(agentsMax, services),
    holders,
    watched: Math.min(watched, services),
  }));
}

/** The names of registries that were asked for and can be had. */
function availableOf(only: string | undefined): readonly string[] {
  return (only?.split(',') ?? serverNames).filter((name) => {
    const missing = whyMissing(name);
    if (missing !== undefined) console.error(`left out: ${name} (${missing})`);
    return missing === undefined;
  });
}

/** A server has two connections from each agent at most, and its own files. */
function warnOfFileLimit(agents: number): void {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const open = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  const needed = 2 * agents + 500;
  if (open >= needed) return;
  console.error(`ulimit -n is ${open}: too few for ${agents} agents; raise it to ${needed}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      services: { type: 'string', default: '1000' },
      json: { type: 'boolean' },
    },
  });
  const services = Number(values.services);
  if (!Number.isInteger(services) || services < 1 || services > 1310) {
    throw new Error('--services: a whole number from 1 to 1310');
  }
  const ending = new AbortController();
  const end = (why: string): void => {
    console.error(why);
    ending.abort(new Error(why));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => end(`ended by ${name}`));
  const overdue = setTimeout(() => end('the run took too long'), runMaxMs);
  warnOfFileLimit(Math.min(agentsMax, services));
  const load = (loadavg()[0] ?? 0).toFixed(1);
  const rows: FleetRow[] = [];
  for (const registry of availableOf(values.only)) {
    for (const size of sizesOf(services)) {
      if (ending.signal.aborted) break;
      console.error(`${registry}: ${size.services} services`);
      rows.push(await measureFleet(registry, () => startServer(registry), size, ending.signal));
    }
  }
  clearTimeout(overdue);
  if (values.json === true) console.log(JSON.stringify({ load, rows }, null, 2));
  else printFleets(rows, load);
}

await main();
