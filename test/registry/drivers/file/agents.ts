// A process with many agents on one file registry, for the stress test: argv has the URL, its number, agents here, in all.
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import { openFile } from '../../../../src/registry/drivers/file/driver.ts';
import type { Lease } from '../../../../src/registry/lease.ts';
import { Registry } from '../../../../src/registry/registry.ts';
import { service } from './fixture.ts';

/** What each agent has seen since it saw all others. */
export interface AgentsReport {
  readonly fewest: number;
  readonly losses: number;
  readonly renewalsFailed: number;
  readonly renewalsOk: number;
}

const [url = '', process_ = '0', here = '0', all = '0'] = process.argv.slice(2);
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const complete = new Set<Registry>();
const agents: Registry[] = [];
const leases: Lease[] = [];
let fewest = Infinity;

for (let n = 0; n < Number(here); n++) {
  const agent = new Registry({ ...deps, driver: openFile(url, deps) });
  const port = 1000 * (Number(process_) + 1) + n;
  const instance = { service, id: `agent-${port}`, host: '127.0.0.1', port };
  const lease = agent.lease(
    { ...instance, weight: 1, tags: [], meta: {} },
    { ttlMs: 3000, heartbeatMs: 500 },
  );
  agent.watch(
    service,
    ({ instances }) => {
      if (complete.has(agent)) fewest = Math.min(fewest, instances.length);
      if (instances.length === Number(all)) complete.add(agent);
      if (complete.size === Number(here)) process.stdout.write('complete\n');
    },
    new AbortController().signal,
  );
  lease.acquire();
  agents.push(agent);
  leases.push(lease);
}

process.stdin.on('end', () => void finish()).resume();

async function finish(): Promise<void> {
  const sum = (name: keyof Lease['counters']): number =>
    leases.reduce((total, { counters }) => total + counters[name], 0);
  const report: AgentsReport = {
    fewest: Math.min(fewest, Number(all)),
    losses: sum('losses'),
    renewalsFailed: sum('renewalsFailed'),
    renewalsOk: sum('renewalsOk'),
  };
  await Promise.all(agents.map((agent) => agent.close()));
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
