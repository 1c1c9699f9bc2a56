// Proxies side by side: the same load and the same instances behind each of them, in turn, on the same CPU.
//
//   npm run bench [-- --workload small-64,mixed|all] [-- --rounds N] [-- --seconds N] [-- --instances N] [-- --proxy haproxy,outrigger]
//                 [-- --node 20,22,24,26] [-- --json FILE] [-- --svg FILE] [-- --install]
//
// Linux with two CPUs or more, wrk, nginx and taskset. What else is not installed is left out, by name.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { caddy } from './proxies/caddy.ts';
import { envoy } from './proxies/envoy.ts';
import { fastify } from './proxies/fastify.ts';
import { haproxy } from './proxies/haproxy.ts';
import { httpProxy } from './proxies/http-proxy.ts';
import { nginx } from './proxies/nginx.ts';
import { echoCommand, originCommand } from './proxies/origin.ts';
import { outrigger, outriggerGeneral, outriggerOn } from './proxies/outrigger.ts';
import { plot } from './proxies/plot.ts';
import {
  freePorts,
  killAll,
  killAllAtExit,
  loadCpu,
  proxyCpu,
  residentMb,
  startServer,
} from './proxies/processes.ts';
import { findProgram, install } from './proxies/programs.ts';
import type { Proxy } from './proxies/proxy.ts';
import {
  latencyTable,
  memoryTable,
  rowsOf,
  saturationTable,
  type Subject,
} from './proxies/report.ts';
import { traefik } from './proxies/traefik.ts';
import { measure, smallGet, workloadNamed, workloads } from './proxies/workloads.ts';

const proxies = [
  haproxy,
  nginx,
  envoy,
  traefik,
  caddy,
  httpProxy,
  fastify,
  outrigger,
  outriggerGeneral,
];
/** Together with 4 rounds of 1 s, under five minutes with all proxies. */
const usual = 'small-64,small-1,post-1k,large-10m,rate-1000';
const plotted = 'small-64';
/** Before the first round each proxy gets this many requests, unless it takes too long: just-in-time compilers need them. */
const warmUp = { requests: 30_000, secondsMax: 5 };

interface Plan {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly instances: number;
  readonly wanted: readonly Proxy[];
}

async function startAll(plan: Plan, directory: string): Promise<Subject[]> {
  const originPorts = await freePorts(plan.instances);
  const [firstPort = 0] = originPorts;
  const [echoPort = 0] = await freePorts(1);
  await startServer(loadCpu, echoCommand(echoPort), echoPort);
  const command = originCommand(directory, originPorts, echoPort);
  const origin = await startServer(loadCpu, command, firstPort);
  const subjects = [subject('direct', firstPort, origin)];
  for (const proxy of plan.wanted) {
    const [port = 0] = await freePorts(1);
    const own = join(directory, proxy.name.replaceAll(/\W/g, '-'));
    mkdirSync(own);
    try {
      const missing = proxy.missing();
      if (missing !== undefined) throw new Error(missing);
      const command = proxy.command({ port, originPorts, directory: own });
      subjects.push(subject(proxy.name, port, await startServer(proxyCpu, command, port)));
    } catch (error) {
      console.error(`left out: ${proxy.name}: ${(error as Error).message}`);
    }
  }
  return subjects;
}

function subject(name: string, port: number, pid: number): Subject {
  const residentBeforeMb = residentMb(pid);
  return { name, port, pid, residentBeforeMb, residentAfterMb: NaN, samples: new Map() };
}

async function runAll(subjects: readonly Subject[], plan: Plan): Promise<void> {
  for (const one of subjects) {
    let requests = 0;
    for (let second = 0; second < warmUp.secondsMax && requests < warmUp.requests; second++)
      requests += (await measure(smallGet, one, 1)).perSecond;
    // What is no plain request is other code.
    for (const name of plan.names) {
      if ('script' in workloadNamed(name).load) await measure(workloadNamed(name), one, 1);
    }
  }
  for (let round = 0; round < plan.rounds; round++) {
    console.error(`round ${round + 1} of ${plan.rounds}, load average ${loadText()}`);
    for (const name of plan.names) {
      // Another one is the first in each round.
      for (let turn = 0; turn < subjects.length; turn++) {
        const one = subjects[(turn + round) % subjects.length];
        if (one === undefined) continue;
        const figures = await measure(workloadNamed(name), one, plan.seconds);
        // No proxy, no CPU time of one.
        if (one.name === 'direct')
          Object.assign(figures, { cpuUs: NaN, userUs: NaN, systemUs: NaN });
        one.samples.set(name, [...(one.samples.get(name) ?? []), figures]);
      }
    }
  }
  for (const one of subjects) one.residentAfterMb = residentMb(one.pid);
}

function print(subjects: readonly Subject[], plan: Plan): void {
  console.log(
    `${plan.instances} instances; medians of ${plan.rounds} rounds of ${plan.seconds} s on ${machine()}`,
  );
  for (const name of plan.names) {
    const { title, connections, load } = workloadNamed(name);
    const rows = rowsOf(name, subjects);
    console.log(`\n${name}: ${title}, ${connections} connection${connections === 1 ? '' : 's'}`);
    console.log('ratePerS' in load ? latencyTable(rows) : saturationTable(rows));
  }
  console.log(`\nresident memory, when started and at the end\n${memoryTable(subjects)}`);
}

function save(
  subjects: readonly Subject[],
  plan: Plan,
  files: { json?: string; svg?: string },
): void {
  if (files.json !== undefined) {
    const { rounds, seconds, instances } = plan;
    const results = plan.names.map((name) => ({
      workload: name,
      ...workloadNamed(name),
      rows: rowsOf(name, subjects),
    }));
    const memory = subjects.map(({ name, residentBeforeMb, residentAfterMb }) => ({
      name,
      residentBeforeMb,
      residentAfterMb,
    }));
    const all = { machine: machine(), rounds, seconds, instances, results, memory };
    writeFileSync(files.json, `${JSON.stringify(all, null, 2)}\n`);
  }
  if (files.svg !== undefined && plan.names.includes(plotted)) {
    const title = `CPU time of one small proxied GET in µs, and as a multiple of HAProxy’s`;
    writeFileSync(files.svg, plot(rowsOf(plotted, subjects), title));
  }
}

function machine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} CPUs, Node ${process.version}`;
}

function loadText(): string {
  return (loadavg()[0] ?? NaN).toFixed(1);
}

/** All, or those that were named; with versions of Node only HAProxy beside Outrigger on each of them. */
function chosen(names: string | undefined, versions: readonly string[]): readonly Proxy[] {
  const parts = names?.toLowerCase().split(',') ?? (versions.length > 0 ? ['haproxy'] : undefined);
  const named = proxies.filter(({ name }) => parts?.includes(name.toLowerCase()) ?? true);
  return [...named, ...versions.map(outriggerOn)];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string', default: usual },
      rounds: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '1' },
      instances: { type: 'string', default: '2' },
      proxy: { type: 'string' },
      node: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      install: { type: 'boolean' },
    },
  });
  const names = values.workload === 'all' ? [...workloads.keys()] : values.workload.split(',');
  names.forEach(workloadNamed);
  const versions = values.node?.split(',') ?? [];
  const plan: Plan = {
    names,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    instances: Number(values.instances),
    wanted: chosen(values.proxy, versions),
  };
  const needed = ['wrk', 'nginx', 'taskset'].filter((name) => findProgram(name) === undefined);
  if (needed.length > 0 || availableParallelism() < 2) {
    throw new Error(`this needs two CPUs and ${needed.join(', ') || 'nothing else'}`);
  }
  if (values.install === true) install(versions);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    const subjects = await startAll(plan, directory);
    await runAll(subjects, plan);
    print(subjects, plan);
    save(subjects, plan, values);
  } finally {
    killAll();
  }
}

await main();
