// The agent of a soak: started with a lease of its own, called at a steady rate, and looked at meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { heapUsedMb } from '../proxies/admin.ts';
import { agentCommand } from '../proxies/outrigger.ts';
import { descriptors, freePorts, proxyCpu, residentMb, startServer } from '../proxies/processes.ts';
import { measure, type Workload } from '../proxies/workloads.ts';
import type { Sample } from './verdict.ts';

export const connections = 96;
/** As many calls as it answers. */
export const saturated: Workload = { title: 'mixed', connections, load: { kind: 'soak' } };
const sampleMs = 2000;
/** Longer than any idle connection is kept. */
const restMs = 12_000;

export interface Agent {
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
}

/** What a time of load has shown. */
export interface Loaded {
  readonly perSecond: number;
  readonly cpuPercent: number;
  readonly failed: number;
  readonly samples: readonly Sample[];
}

/** An agent that registers a service of this name; `nodeFlags` are Node's own. */
export async function startAgent(
  registry: string,
  own: { readonly service: string; readonly port: number },
  nodeFlags: readonly string[],
): Promise<Agent> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const [node = '', ...args] = agentCommand(registry, port, adminPort);
  const flags = ['--name', own.service, '--port', String(own.port)];
  const pid = await startServer(proxyCpu, [node, ...nodeFlags, ...args, ...flags], port);
  return { pid, port, adminPort };
}

/** One run of the load, with samples meanwhile; their times count from `startMs`. */
export async function loadFor(
  agent: Agent,
  { seconds, delayMs, startMs }: { seconds: number; delayMs: number; startMs: number },
): Promise<Loaded> {
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

/** When nobody calls it and idle connections have ended. */
export async function atRest(agent: Agent): Promise<Sample> {
  await sleep(restMs);
  return sampleOf(agent, performance.now());
}

async function sampleOf({ pid, adminPort }: Agent, startMs: number): Promise<Sample> {
  const heapMb = await heapUsedMb(adminPort);
  const { all, sockets } = descriptors(pid);
  const atMinutes = (performance.now() - startMs) / 60_000;
  return { atMinutes, residentMb: residentMb(pid), heapMb, descriptors: all, sockets };
}
