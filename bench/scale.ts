// What a call and a registry change cost an agent when there is more of everything: services, and instances of one service.
//
//   npm run bench:scale [-- --rounds N] [-- --seconds N] [-- --json FILE]
//
// Linux with two CPUs or more, wrk, nginx, taskset and redis-server. All agents run side by side, each with a Redis of its own,
// and are measured in turn.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock as clock } from '../src/core/clock.ts';
import type { Instance } from '../src/core/instance.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import type { Driver } from '../src/registry/driver.ts';
import { openDriver } from '../src/registry/open.ts';
import { requireRedis, startRedis, type RedisServer } from '../test/servers/redis.ts';
import { originCommand } from './proxies/origin.ts';
import { agentCommand } from './proxies/outrigger.ts';
import {
  cpuTime,
  freePorts,
  killAll,
  killAllAtExit,
  loadCpu,
  proxyCpu,
  residentMb,
  startServer,
} from './proxies/processes.ts';
import { median } from './proxies/statistics.ts';
import { number, table } from './proxies/table.ts';
import { measure, smallGet } from './proxies/workloads.ts';

/** Longer than the benchmark: heartbeats would disturb it. */
const ttlMs = 3_600_000;
/** An agent keeps at most 1,000 services in use. */
const usedMax = 900;
const changesPerRound = 400;
const parallel = 100;
const warmUpSeconds = 3;
/** Before each measured run: idle connections have ended meanwhile, and opening them again is no part of a call. */
const connectSeconds = 2;
/** Until the agent has done all that the last change asks of it. */
const settleMs = 300;

const cases = [
  { name: '10 services', services: 10, instances: 2 },
  { name: '1,000 services', services: 1000, instances: 2 },
  { name: '10,000 services', services: 10_000, instances: 2 },
  { name: '1,000 instances of one', services: 10, instances: 1000 },
] as const;
type Case = (typeof cases)[number];

/** CPU time of the agent: for one call, for one change of a service that nobody else changes, and for a second of rest. */
const figures = ['callUs', 'changeUs', 'hotChangeUs', 'restUsPerS'] as const;
type Sample = Record<(typeof figures)[number], number>;

interface Agent {
  readonly setting: Case;
  readonly redis: RedisServer;
  readonly driver: Driver;
  readonly port: number;
  readonly pid: number;
  readonly samples: Sample[];
}

/** The service that is called is `web`; the others share its first instance's address. */
async function startAgent(setting: Case, ports: readonly number[]): Promise<Agent> {
  const redis = await startRedis();
  const driver = await openDriver(redis.url, { clock, random, logger });
  const [first = 0] = ports;
  const others = Array.from({ length: setting.services - 1 }, (_, n) => instance(`s${n}`, first));
  const web = ports.slice(0, setting.instances).map((port) => instance('web', port));
  await inParallel([...web, ...others], (one) => driver.acquire(one, ttlMs, deadline()));
  const [port = 0] = await freePorts(1);
  const pid = await startServer(proxyCpu, agentCommand(redis.url, port), port);
  const used = others.slice(0, usedMax);
  await inParallel(used, ({ service }) => call(port, service));
  return { setting, redis, driver, port, pid, samples: [] };
}

async function measureAgent({ port, pid, driver }: Agent, seconds: number): Promise<Sample> {
  const restUsPerS = await spent(pid, () => sleep(1000));
  await measure(smallGet, { port, pid }, connectSeconds);
  const { cpuUs } = await measure(smallGet, { port, pid }, seconds);
  // Connections end after the load does.
  await sleep(settleMs);
  return {
    callUs: cpuUs,
    changeUs: await changeCost(pid, driver, 's1'),
    hotChangeUs: await changeCost(pid, driver, 'web'),
    restUsPerS,
  };
}

/** An instance comes and goes, which the agent is told of one after the other. */
async function changeCost(pid: number, driver: Driver, service: string): Promise<number> {
  // Weight 0: it is never called.
  const one = { ...instance(service, 9), weight: 0 };
  const sumUs = await spent(pid, async () => {
    for (let n = 0; n < changesPerRound / 2; n++) {
      await driver.acquire(one, ttlMs, deadline());
      await driver.release(one, deadline());
    }
    await sleep(settleMs);
  });
  return sumUs / changesPerRound;
}

/** CPU time of the process, in µs, while something is done. */
async function spent(pid: number, act: () => Promise<unknown>): Promise<number> {
  const before = cpuTime(pid);
  await act();
  const after = cpuTime(pid);
  return after.userUs + after.systemUs - before.userUs - before.systemUs;
}

async function call(port: number, service: string): Promise<void> {
  const request = get({ host: '127.0.0.1', port, headers: { host: service }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
  if (response.statusCode !== 200) throw new Error(`${service}: ${response.statusCode ?? 0}`);
}

async function inParallel<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += parallel) {
    await Promise.all(all.slice(from, from + parallel).map(act));
  }
}

function instance(service: string, port: number): Instance {
  const id = `${service}-${port}`;
  return { service, id, host: '127.0.0.1', port, weight: 1, tags: [], meta: {}, startedAtMs: 1 };
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

function medians(samples: readonly Sample[]): Sample {
  return Object.fromEntries(
    figures.map((figure) => [figure, median(samples.map((sample) => sample[figure]))]),
  ) as Sample;
}

function print(agents: readonly Agent[]): void {
  const first = medians(agents[0]?.samples ?? []);
  const rows = agents.map(({ setting, samples, pid }) => {
    const own = medians(samples);
    return [
      setting.name,
      number(own.callUs, 1),
      number(own.callUs / first.callUs, 2),
      number(own.changeUs, 0),
      number(own.hotChangeUs, 0),
      number(own.restUsPerS, 0),
      number(residentMb(pid), 0),
    ];
  });
  const titles = ['call µs', '× first', 'change µs', 'called µs', 'rest µs/s', 'memory MB'];
  console.log(table(titles, rows));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      json: { type: 'string' },
    },
  });
  const missing = requireRedis();
  if (missing !== undefined) throw new Error(missing);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  const agents: Agent[] = [];
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    const ports = await freePorts(Math.max(...cases.map(({ instances }) => instances)));
    await startServer(loadCpu, originCommand(directory, ports), ports[0] ?? 0);
    for (const setting of cases) agents.push(await startAgent(setting, ports));
    for (const agent of agents) await measure(smallGet, agent, warmUpSeconds);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const agent of agents)
        agent.samples.push(await measureAgent(agent, Number(values.seconds)));
    }
    print(agents);
    if (values.json !== undefined) {
      const rows = agents.map(({ setting, samples }) => ({
        ...setting,
        ...medians(samples),
        samples,
      }));
      writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
    }
  } finally {
    killAll();
    for (const { driver, redis } of agents) {
      await driver.close();
      await redis.stop();
    }
  }
}

await main();
