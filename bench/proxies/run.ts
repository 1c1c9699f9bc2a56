// Starts the instances and the proxies before them, and sends each its load in turn.
import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import type { Plan } from './options.ts';
import { echoCommand, originCommand } from './origin.ts';
import { freePorts, loadCpu, proxyCpu, residentMb, startServer } from './processes.ts';
import type { Subject } from './rows.ts';
import { measure, smallGet, workloadNamed } from './workloads.ts';

/** Proxies before the same number of instances: they are compared with each other. */
export interface Group {
  readonly instances: number;
  readonly subjects: readonly Subject[];
}

/** Before the first round each proxy gets this many requests, unless it takes too long: just-in-time compilers need them. */
const warmUp = { requests: 30_000, secondsMax: 5 };

/** One group for each number of instances. They are the first of the same ones, so one origin serves all groups. */
export async function startAll(plan: Plan, directory: string): Promise<Group[]> {
  const originPorts = await freePorts(Math.max(...plan.instances));
  const [firstPort = 0] = originPorts;
  const [echoPort = 0] = await freePorts(1);
  await startServer(loadCpu, echoCommand(echoPort), echoPort);
  const command = originCommand(directory, originPorts, echoPort);
  const origin = await startServer(loadCpu, command, firstPort);
  const groups: Group[] = [];
  for (const instances of plan.instances) {
    const own = join(directory, `before-${instances}`);
    const proxies = await startProxies(plan, originPorts.slice(0, instances), own);
    groups.push({ instances, subjects: [subject('direct', firstPort, origin), ...proxies] });
  }
  return groups;
}

async function startProxies(
  { wanted }: Plan,
  originPorts: readonly number[],
  directory: string,
): Promise<Subject[]> {
  const started: Subject[] = [];
  for (const proxy of wanted) {
    const [port = 0] = await freePorts(1);
    const own = join(directory, proxy.name.replaceAll(/\W/g, '-'));
    mkdirSync(own, { recursive: true });
    try {
      const missing = proxy.missing();
      if (missing !== undefined) throw new Error(missing);
      const command = proxy.command({ port, originPorts, directory: own });
      started.push(subject(proxy.name, port, await startServer(proxyCpu, command, port)));
    } catch (error) {
      console.error(`left out: ${proxy.name}: ${(error as Error).message}`);
    }
  }
  return started;
}

function subject(name: string, port: number, pid: number): Subject {
  const residentBeforeMb = residentMb(pid);
  return { name, port, pid, residentBeforeMb, residentAfterMb: NaN, samples: new Map() };
}

/** Adds a sample of each workload and round to each subject. */
export async function runAll(groups: readonly Group[], plan: Plan): Promise<void> {
  const all = groups.flatMap(({ subjects }) => subjects);
  for (const one of all) await warm(one, plan.names);
  for (let round = 0; round < plan.rounds; round++) {
    console.error(`round ${round + 1} of ${plan.rounds}, load average ${loadText()}`);
    for (const name of plan.names) {
      // Another one is the first in each round.
      for (const { subjects } of rotated(groups, round)) {
        for (const one of rotated(subjects, round)) await sample(one, name, plan.seconds);
      }
    }
  }
  for (const one of all) one.residentAfterMb = residentMb(one.pid);
}

async function warm(one: Subject, names: readonly string[]): Promise<void> {
  let requests = 0;
  for (let second = 0; second < warmUp.secondsMax && requests < warmUp.requests; second++)
    requests += (await measure(smallGet, one, 1)).perSecond;
  // What is no plain request is other code.
  for (const name of names) {
    if ('script' in workloadNamed(name).load) await measure(workloadNamed(name), one, 1);
  }
}

async function sample(one: Subject, name: string, seconds: number): Promise<void> {
  const measured = await measure(workloadNamed(name), one, seconds);
  // No proxy, no CPU time of one.
  const noProxy = one.name === 'direct' ? { cpuUs: NaN, userUs: NaN, systemUs: NaN } : {};
  one.samples.set(name, [...(one.samples.get(name) ?? []), { ...measured, ...noProxy }]);
}

function rotated<T>(all: readonly T[], by: number): T[] {
  const from = by % all.length;
  return [...all.slice(from), ...all.slice(0, from)];
}

function loadText(): string {
  return (loadavg()[0] ?? NaN).toFixed(1);
}
