// An agent at half of its saturating load for an hour: does its memory grow, or the number of its descriptors?
//
//   npm run bench:soak [-- --minutes N] [-- --every SECONDS] [-- --snapshots DIR] [-- --json FILE]
//
// Linux with two CPUs or more, wrk, nginx and taskset. Keep-alive and new connections, small and large replies, bodies, clients that
// go away in the middle, and instances that come and go in a file: registry, in which the agent has a lease of its own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { adminStatus } from './proxies/admin.ts';
import { originCommand } from './proxies/origin.ts';
import { freePorts, killAll, killAllAtExit, loadCpu, startServer } from './proxies/processes.ts';
import { renewalInDirectory, RenewalWatch } from './proxies/renewals.ts';
import { median } from './proxies/statistics.ts';
import { number } from './proxies/table.ts';
import { measure } from './proxies/workloads.ts';
import { Aborters } from './soak/aborters.ts';
import { atRest, connections, loadFor, saturated, startAgent, type Loaded } from './soak/agent.ts';
import { growthTable, snapshotFlags, takeSnapshot } from './soak/heap-snapshots.ts';
import { Instances } from './soak/instances.ts';
import { growth, verdict, type Sample } from './soak/verdict.ts';

/** Its own service: nobody calls it. */
const ownService = 'soak';
const saturateSeconds = 5;
const instancesAtOnce = 4;

interface Minute extends Loaded {
  readonly minute: number;
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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      every: { type: 'string', default: '60' },
      snapshots: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const minutes = Number(values.minutes);
  const everySeconds = Number(values.every);
  const snapshots = values.snapshots === undefined ? undefined : resolve(values.snapshots);
  if (snapshots !== undefined) mkdirSync(snapshots, { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const ports = await freePorts(2 * instancesAtOnce);
  const registry = join(directory, 'registry');
  const instances = new Instances(`file://${registry}`, { ports, atOnce: instancesAtOnce });
  try {
    await startServer(loadCpu, originCommand(directory, ports), ports[0] ?? 0);
    await instances.start();
    const own = { service: ownService, port: ports[0] ?? 0 };
    const nodeFlags = snapshots === undefined ? [] : snapshotFlags(snapshots);
    const agent = await startAgent(`file://${registry}`, own, nodeFlags);
    const last = renewalInDirectory(registry, ownService, 6000);
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
      // Before the half that the verdict is about, and at rest, as the other one will be.
      if (snapshots !== undefined && turn - 1 === Math.floor(turns / 2)) {
        await aborters.pause();
        await atRest(agent);
        await watch.renewed();
        const tookMs = await takeSnapshot(agent, snapshots, 'half');
        console.log(`heap snapshot: the agent stood still for ${number(tookMs, 0)} ms`);
        aborters.start();
        // What was collected for the snapshot is in use again when the half begins.
        await measure(saturated, agent, saturateSeconds);
      }
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
    if (snapshots !== undefined) {
      await takeSnapshot(agent, snapshots, 'end');
      console.log(`\nheap in the second half, by class, without what the objects refer to:`);
      console.log(growthTable(snapshots, 'half', 'end'));
      console.log(`written to ${snapshots}/: half.heapsnapshot, end.heapsnapshot`);
    }
  } finally {
    killAll();
    await instances.close();
  }
}

await main();
