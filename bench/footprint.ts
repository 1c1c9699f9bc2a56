// What an agent costs by being there: time to its ready line and memory, beside a bare Node process that listens.
//
//   npm run bench:footprint [-- --rounds N] [-- --json]
//
// Linux only, for the memory is VmRSS of /proc. All of a round are started one after another, so that what else the machine
// does meets each alike.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { requireRedis, startRedis } from '../test/servers/redis.ts';
import {
  end,
  openConnections,
  openTunnel,
  settledMb,
  start,
  startFleet,
} from './footprint-process.ts';

const goalStartMs = 100;
const goalKnownMb = 15;
const instances = 1000;
const connections = 1000;
/** The one instance of the fleet that answers. */
const service = 'real.fleet.localhost';

const program = fileURLToPath(new URL('../bin/outrigger.js', import.meta.url));
const bareScript = `
  const server = require('node:http').createServer((request, response) => response.end('ok'));
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port));`;

const figures = ['startMs', 'idleMb', 'knownMb', 'calledMb', 'connectionsMb'] as const;
/**
 * From process start to the ready line; memory then, with all instances known, and after a proxied request; what the idle
 * client connections take beyond that.
 */
type Figures = Record<(typeof figures)[number], number>;

interface Subject {
  readonly name: string;
  readonly measure: () => Promise<Figures>;
  readonly samples: Figures[];
}

interface Row {
  readonly name: string;
  readonly median: Figures;
  readonly p99: Figures;
}

/** Bare Node knows no instances, so its memory stays as it is until it is called. */
async function measure(args: readonly string[], isAgent: boolean): Promise<Figures> {
  const { child, startMs, line } = await start(args);
  const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
  const idleMb = await settledMb(child);
  if (isAgent) await openTunnel(port, service);
  const knownMb = isAgent ? await settledMb(child) : idleMb;
  const first = await openConnections(port, service, 1);
  const calledMb = await settledMb(child);
  const others = await openConnections(port, service, connections);
  const connectionsMb = (await settledMb(child)) - calledMb;
  await first();
  await others();
  await end(child);
  return { startMs, idleMb, knownMb, calledMb, connectionsMb };
}

function agentArgs(registry: string, directory: string): string[] {
  const addresses = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const state = ['--state-dir', join(directory, 'state')];
  return [program, 'run', '--registry', registry, ...addresses, ...state, '--log-level', 'error'];
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
    `goals: start ≤ +${goalStartMs} ms, ${instances} instances known ≤ +${goalKnownMb} MB (medians)`,
  );
  console.log(`last column: what ${connections} idle client connections add\n`);
  const titles = ['start p50 ms', 'p99 ms', 'idle MB', 'known MB', 'called MB', 'connections MB'];
  console.log(['', ...titles].map((title) => title.padEnd(18)).join(''));
  for (const { name, median, p99 } of rows) {
    const cell = (value: number, ofBare = NaN, digits = 1): string => {
      const more = value - ofBare;
      const sign = more < 0 ? '' : '+';
      const difference = bare?.name === name ? '' : ` (${sign}${more.toFixed(digits)})`;
      return (value.toFixed(digits) + difference).padEnd(18);
    };
    const cells = [
      cell(median.startMs, bare?.median.startMs, 0),
      cell(p99.startMs, bare?.p99.startMs, 0),
      cell(median.idleMb, bare?.median.idleMb),
      // What bare Node has when idle; it knows no instances.
      cell(median.knownMb, bare?.median.knownMb),
      cell(median.calledMb, bare?.median.calledMb),
      cell(median.connectionsMb, bare?.median.connectionsMb),
    ];
    console.log(`${name.padEnd(18)}${cells.join('')}`.trimEnd());
  }
}

async function run(
  rounds: number,
  registries: readonly string[],
  directory: string,
): Promise<Row[]> {
  await Promise.all(registries.map((url) => startFleet(url, instances)));
  const subjects: Subject[] = [
    { name: 'bare Node', measure: () => measure(['-e', bareScript], false), samples: [] },
    ...registries.map((url) => ({
      name: `outrigger, ${new URL(url).protocol}`,
      measure: () => measure(agentArgs(url, directory), true),
      samples: [],
    })),
  ];
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) subject.samples.push(await subject.measure());
  }
  return subjects.map(summarize);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '11' }, json: { type: 'boolean' } },
  });
  const rounds = Number(values.rounds);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const missing = requireRedis();
  const redis = missing === undefined ? await startRedis() : undefined;
  if (missing !== undefined) console.error(`left out: redis: (${missing})`);
  const registries = [`file://${directory}/registry`, ...(redis === undefined ? [] : [redis.url])];
  try {
    const rows = await run(rounds, registries, directory);
    if (values.json === true) console.log(JSON.stringify(rows, null, 2));
    else print(rows, rounds);
  } finally {
    await redis?.stop();
  }
}

await main();
// The fleets still run; they end with this process.
process.exit();
