// What an agent costs by being there: time to its ready line and memory, beside a bare Node process that listens.
//
//   npm run bench:footprint [-- --rounds N] [-- --json]
//
// Linux only, for the memory is VmRSS of /proc. All of a round are started one after another, so that what else the machine
// does meets each alike.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { requireRedis, startRedis } from '../test/servers/redis.ts';

const goalStartMs = 100;
const goalKnownMb = 15;
const instances = 1000;
/** After this time without work, the memory is read. */
const settleMs = 1000;

const program = fileURLToPath(new URL('../bin/outrigger.js', import.meta.url));
const fleetScript = fileURLToPath(new URL('footprint-fleet.ts', import.meta.url));
const bareScript = `require('node:http').createServer().listen(0, '127.0.0.1', () => console.log('ready'))`;

const figures = ['startMs', 'idleMb', 'knownMb', 'calledMb'] as const;
/** From process start to the ready line; memory then, with all instances known, and after a proxied request. */
type Figures = Record<(typeof figures)[number], number>;

interface Subject {
  readonly name: string;
  /** Arguments of node. */
  readonly args: readonly string[];
  readonly samples: Figures[];
}

interface Row {
  readonly name: string;
  readonly median: Figures;
  readonly p99: Figures;
}

async function measureBare(): Promise<Figures> {
  const { process, startMs } = await start(['-e', bareScript]);
  const idleMb = await settledMb(process);
  await end(process);
  return { startMs, idleMb, knownMb: idleMb, calledMb: idleMb };
}

async function measureAgent(args: readonly string[]): Promise<Figures> {
  const { process, startMs, line } = await start(args);
  const port = Number(/proxy=http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
  const idleMb = await settledMb(process);
  await openTunnel(port);
  const knownMb = await settledMb(process);
  await get(port);
  const calledMb = await settledMb(process);
  await end(process);
  return { startMs, idleMb, knownMb, calledMb };
}

async function start(
  args: readonly string[],
): Promise<{ process: ChildProcess; startMs: number; line: string }> {
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { process: child, startMs: performance.now() - startedAtMs, line };
}

async function end(process: ChildProcess): Promise<void> {
  process.kill('SIGKILL');
  await once(process, 'exit');
}

async function settledMb({ pid }: ChildProcess): Promise<number> {
  await sleep(settleMs);
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

/** Makes the agent know the service without its HTTP client, which a tunnel does not use. */
async function openTunnel(port: number): Promise<void> {
  const connect = request({ port, method: 'CONNECT', path: 'real.fleet.localhost:80' }).end();
  const [response, socket] = (await once(connect, 'connect')) as [IncomingMessage, Socket];
  socket.destroy();
  if (response.statusCode !== 200) throw new Error(`CONNECT: ${response.statusCode ?? 0}`);
}

async function get(port: number): Promise<void> {
  const call = request({ port, headers: { host: 'real.fleet.localhost' } }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== 200) throw new Error(`GET: ${response.statusCode ?? 0}`);
}

function agentArgs(registry: string): string[] {
  const addresses = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  return [program, 'run', '--registry', registry, ...addresses, '--log-level', 'error'];
}

/** The process that has registered all instances; they end with it. */
async function startFleet(registry: string): Promise<ChildProcess> {
  const args = [registry, String(instances)];
  const fleet = fork(fleetScript, args, { execArgv: ['--import', 'tsx'] });
  await once(fleet, 'message');
  return fleet;
}

function summarize({ name, samples }: Subject): Row {
  const at = (share: number): Figures =>
    Object.fromEntries(
      figures.map((figure) => {
        const sorted = samples.map((sample) => sample[figure]).sort((a, b) => a - b);
        return [figure, sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]];
      }),
    ) as Figures;
  return { name, median: at(0.5), p99: at(0.99) };
}

function print(rows: readonly Row[], rounds: number): void {
  const [bare] = rows;
  console.log(`${rounds} rounds on Node ${process.version}; in brackets: more than bare Node`);
  console.log(
    `goals: start ≤ +${goalStartMs} ms, ${instances} instances known ≤ +${goalKnownMb} MB (medians)\n`,
  );
  const titles = ['start p50 ms', 'start p99 ms', 'idle MB', '1,000 known MB', 'after a call MB'];
  console.log(['', ...titles].map((title) => title.padEnd(19)).join(''));
  for (const { name, median, p99 } of rows) {
    const cell = (value: number, ofBare = NaN, digits = 1): string => {
      const more = value - ofBare;
      const difference = bare?.name === name ? '' : ` (+${more.toFixed(digits)})`;
      return (value.toFixed(digits) + difference).padEnd(19);
    };
    const cells = [
      cell(median.startMs, bare?.median.startMs, 0),
      cell(p99.startMs, bare?.p99.startMs, 0),
      cell(median.idleMb, bare?.median.idleMb),
      cell(median.knownMb, bare?.median.knownMb),
      cell(median.calledMb, bare?.median.calledMb),
    ];
    console.log(`${name.padEnd(19)}${cells.join('')}`.trimEnd());
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '15' }, json: { type: 'boolean' } },
  });
  const rounds = Number(values.rounds);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  const missing = requireRedis();
  const redis = missing === undefined ? await startRedis() : undefined;
  if (missing !== undefined) console.error(`left out: redis: (${missing})`);
  const registries = [`file://${directory}/registry`, ...(redis === undefined ? [] : [redis.url])];
  const fleets = await Promise.all(registries.map(startFleet));

  const bare: Subject = { name: 'bare Node', args: [], samples: [] };
  const agents: Subject[] = registries.map((url) => ({
    name: `outrigger, ${new URL(url).protocol}`,
    args: agentArgs(url),
    samples: [],
  }));
  for (let round = 0; round < rounds; round++) {
    bare.samples.push(await measureBare());
    for (const { args, samples } of agents) samples.push(await measureAgent(args));
  }

  await Promise.all(fleets.map(end));
  await redis?.stop();
  rmSync(directory, { recursive: true });
  const rows = [bare, ...agents].map(summarize);
  if (values.json === true) console.log(JSON.stringify(rows, null, 2));
  else print(rows, rounds);
}

await main();
