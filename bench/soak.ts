// An agent at half of its saturating load for an hour: does its memory grow, or the number of its descriptors?
//
//   npm run bench:soak [-- --minutes N] [-- --every SECONDS] [-- --json FILE]
//
// Linux with two CPUs or more, wrk, nginx and taskset. Keep-alive and new connections, small and large replies, bodies, clients that
// go away in the middle, and instances that come and go in a file: registry, in which the agent has a lease of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { adminStatus, heapUsedMb } from './proxies/admin.ts';
import { originCommand } from './proxies/origin.ts';
import { agentCommand } from './proxies/outrigger.ts';
import {
  descriptors,
  freePorts,
  killAll,
  killAllAtExit,
  loadCpu,
  proxyCpu,
  residentMb,
  startServer,
} from './proxies/processes.ts';
import { renewalInDirectory, RenewalWatch } from './proxies/renewals.ts';
import { median } from './proxies/statistics.ts';
import { number } from './proxies/table.ts';
import { measure, type Workload } from './proxies/workloads.ts';
import { Aborters } from './soak/aborters.ts';
import { Instances } from './soak/instances.ts';
import { growth, verdict, type Sample } from './soak/verdict.ts';

/** Its own service: nobody calls it. */
const ownService = 'soak';
const connections = 96;
const saturated: Workload = { title: 'mixed', connections, load: { kind: 'soak' } };
const saturateSeconds = 5;
const sampleMs = 2000;
/** Longer than any idle connection is kept. */
const restMs = 12_000;
const instancesAtOnce = 4;

interface Agent {
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
}

interface Minute {
  readonly minute: number;
  readonly perSecond: number;
  readonly cpuPercent: number;
  readonly failed: number;
  readonly samples: readonly Sample[];
}

async function start(directory: string, originPort: number): Promise<Agent> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const url = registryUrl(directory);
  const own = ['--name', ownService, '--port', String(originPort)];
  const command = [...agentCommand(url, port, adminPort), ...own];
  return { pid: await startServer(proxyCpu, command, port), port, adminPort };
}

/** One run of the load, with samples meanwhile. */
async function loadFor(
  agent: Agent,
  { seconds, delayMs, startMs }: { seconds: number; delayMs: number; startMs: number },
): Promise<Omit<Minute, 'minute'>> {
  const samples: Sample[] = [];
  const ended = new AbortController();
  const sampling = (async () => {
    // Not at its beginning, when connections are made.
    for (;;) {
      await sleep(sampleMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
      samples.push(await sampleOf(agent, startMs));
    }
  })();
  const paced: Workload = { ...saturated, load: { kind: 'soak', delayMs } };
  try {
    const { perSecond, cpuUs, failed } = await measure(paced, agent, seconds);
    return { perSecond, cpuPercent: (cpuUs * perSecond) / 10_000, failed, samples };
  } finally {
    ended.abort();
    await sampling;
  }
}

async function sampleOf({ pid, adminPort }: Agent, startMs: number): Promise<Sample> {
  const heapMb = await heapUsedMb(adminPort);
  const { all, sockets } = descriptors(pid);
  const atMinutes = (performance.now() - startMs) / 60_000;
  return { atMinutes, residentMb: residentMb(pid), heapMb, descriptors: all, sockets };
}

const columns = ['minute', 'calls/s', 'CPU %', 'failed', 'RSS MB', 'heap MB', 'files', 'sockets'];

function rowOf(minute: Minute, more: readonly number[]): string {
  const { samples } = minute;
  const middle = (figure: keyof Sample): number => median(samples.map((one) => one[figure]));
  const cells = [
    number(minute.minute, 2),
    number(minute.perSecond, 0),
    number(minute.cpuPercent, 0),
    number(minute.failed, 0),
    number(middle('residentMb'), 1),
    // What is left after collections: between them it only says how long ago the last one was.
    number(Math.min(...samples.map(({ heapMb }) => heapMb)), 1),
    number(middle('descriptors'), 0),
    number(middle('sockets'), 0),
    ...more.map((value) => number(value, 0)),
  ];
  return line(cells);
}

function line(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(10)).join('');
}

function registryUrl(directory: string): string {
  return `file://${join(directory, 'registry')}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      every: { type: 'string', default: '60' },
      json: { type: 'string' },
    },
  });
  const minutes = Number(values.minutes);
  const everySeconds = Number(values.every);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const ports = await freePorts(2 * instancesAtOnce);
  const instances = new Instances(registryUrl(directory), { ports, atOnce: instancesAtOnce });
  try {
    await startServer(loadCpu, originCommand(directory, ports), ports[0] ?? 0);
    await instances.start();
    const agent = await start(directory, ports[0] ?? 0);
    const last = renewalInDirectory(join(directory, 'registry'), ownService, 6000);
    const watch = new RenewalWatch(last, { heartbeatMs: 2000 });
    await watch.start();
    const aborters = new Aborters(agent.port);
    aborters.start();

    await measure(saturated, agent, saturateSeconds);
    const { perSecond } = await measure(saturated, agent, saturateSeconds);
    // Half of the rate is half of the load; each connection waits that long before each request.
    const delayMs = Math.max(1, Math.round((1000 * connections) / (perSecond / 2)));
    await aborters.pause();
    const restBefore = await atRest(agent);
    aborters.start();
    console.log(`saturated: ${number(perSecond, 0)} calls/s; ${delayMs} ms between calls\n`);
    console.log(line([...columns, 'aborted', 'changes', 'renewals', 'missed']));

    const rows: Minute[] = [];
    const startMs = performance.now();
    const turns = Math.max(1, Math.round((minutes * 60) / everySeconds));
    for (let turn = 1; turn <= turns; turn++) {
      const run = await loadFor(agent, { seconds: everySeconds, delayMs, startMs });
      const minute = { minute: (turn * everySeconds) / 60, ...run };
      rows.push(minute);
      const { seen, missed } = watch.figures;
      console.log(rowOf(minute, [aborters.count, instances.changes, seen, missed]));
    }
    await aborters.pause();
    const restAfter = await atRest(agent);
    const renewals = await watch.stop();
    const lease = await adminStatus(agent.adminPort);
    const result = verdict({
      growth: growth(rows.map(({ samples }) => samples)),
      restBefore,
      restAfter,
      failed: rows.reduce((sum, { failed }) => sum + failed, 0),
      missed: renewals.missed + renewals.losses + lease.renewalsFailed + lease.losses,
      renewals: renewals.seen,
    });
    console.log(`\n${result.lines.join('\n')}`);
    if (values.json !== undefined) {
      const all = { minutes: rows, restBefore, restAfter, renewals, lease, ...result };
      writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
    }
    process.exitCode = result.isFlat ? 0 : 1;
  } finally {
    killAll();
    await instances.close();
  }
}

/** When nobody calls it and idle connections have ended. */
async function atRest(agent: Agent): Promise<Sample> {
  await sleep(restMs);
  return sampleOf(agent, performance.now());
}

await main();
