// Heartbeats under saturating load: an agent that is called as fast as it answers must still renew its own lease in time.
//
//   npm run bench:heartbeats [-- --workload small-64] [-- --seconds N] [-- --heartbeat-ms N]
//
// Linux with two CPUs or more, wrk, nginx and taskset; redis-server for the second row. What was renewed when is read from the
// registry. The lease is three heartbeats long.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { requireRedis, startRedis } from '../test/servers/redis.ts';
import { adminStatus } from './proxies/admin.ts';
import { originCommand } from './proxies/origin.ts';
import { agentCommand } from './proxies/outrigger.ts';
import {
  freePorts,
  killAll,
  killAllAtExit,
  loadCpu,
  proxyCpu,
  startServer,
  stopServer,
} from './proxies/processes.ts';
import {
  renewalInDirectory,
  renewalInRedis,
  RenewalWatch,
  type LastRenewal,
} from './proxies/renewals.ts';
import { number, table } from './proxies/table.ts';
import { measure, workloadNamed, type Workload } from './proxies/workloads.ts';

interface Setting {
  readonly workload: Workload;
  readonly seconds: number;
  readonly heartbeatMs: number;
  readonly ttlMs: number;
  readonly originPort: number;
}

interface Place {
  readonly name: string;
  readonly url: string;
  readonly last: LastRenewal;
}

async function row({ name, url, last }: Place, setting: Setting): Promise<string[]> {
  const { workload, seconds, heartbeatMs, ttlMs, originPort } = setting;
  const [port = 0, adminPort = 0] = await freePorts(2);
  // It calls the service that it registers.
  const own = ['--name', 'web', '--port', String(originPort), '--advertise', '127.0.0.1'];
  const lease = ['--ttl', `${ttlMs}ms`, '--heartbeat', `${heartbeatMs}ms`];
  const command = [...agentCommand(url, port, adminPort), ...own, ...lease];
  const pid = await startServer(proxyCpu, command, port);
  const watch = new RenewalWatch(last, { heartbeatMs });
  await watch.start();
  const { perSecond, cpuUs, failed } = await measure(workload, { port, pid }, seconds);
  const { seen, missed, longestMs, losses } = await watch.stop();
  const lost = await adminStatus(adminPort);
  await stopServer(pid);
  if (missed > 0 || seen === 0 || losses > 0) process.exitCode = 1;
  return [
    name,
    `${missed} of ${seen + missed}`,
    number(longestMs, 0),
    `${losses}, ${lost.losses}`,
    number(lost.renewalsFailed, 0),
    number(perSecond, 0),
    number((cpuUs * perSecond) / 10_000, 0),
    number(failed, 0),
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string', default: 'small-64' },
      seconds: { type: 'string', default: '20' },
      'heartbeat-ms': { type: 'string', default: '200' },
    },
  });
  const workload = workloadNamed(values.workload);
  const heartbeatMs = Number(values['heartbeat-ms']);
  const seconds = Number(values.seconds);
  const ttlMs = 3 * heartbeatMs;
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  const missing = requireRedis();
  if (missing !== undefined) console.error(`left out: redis: (${missing})`);
  const redis = missing === undefined ? await startRedis() : undefined;
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    const [originPort = 0] = await freePorts(1);
    await startServer(loadCpu, originCommand(directory, [originPort]), originPort);
    const setting = { workload, seconds, heartbeatMs, ttlMs, originPort };
    const registry = join(directory, 'registry');
    const inDirectory = renewalInDirectory(registry, 'web', ttlMs);
    const rows = [
      await row({ name: 'file:', url: `file://${registry}`, last: inDirectory }, setting),
    ];
    if (redis !== undefined) {
      const last = renewalInRedis(redis, 'web', ttlMs);
      rows.push(await row({ name: 'redis:', url: redis.url, last }, setting));
    }
    const titles = ['missed', 'longest ms', 'lost', 'failed', 'calls/s', 'CPU %', 'bad calls'];
    console.log(
      `a heartbeat every ${heartbeatMs} ms, a lease of ${ttlMs} ms, ${seconds} s of ${values.workload}; lost: as the registry and as the agent saw it\n`,
    );
    console.log(table(titles, rows));
  } finally {
    killAll();
    await redis?.stop();
  }
}

await main();
