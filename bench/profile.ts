// Where the CPU time of an agent goes under load: a profile of V8, the functions that need most of it, and a flame graph.
//
//   npm run bench:profile [-- --workload small-64] [-- --seconds N] [-- --instances N] [-- --general] [-- --out DIR]
//
// Linux with two CPUs or more, wrk, nginx and taskset. Writes agent.cpuprofile (for the developer tools of a browser),
// agent.folded (a stack a line, with its µs) and agent.svg to the directory, `profiles` without --out.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  foldedStacks,
  selfTimes,
  stacksOf,
  textOf,
  type CpuProfile,
} from './profile/cpu-profile.ts';
import { flameGraph } from './profile/flame-graph.ts';
import { originCommand } from './proxies/origin.ts';
import { outrigger, outriggerGeneral } from './proxies/outrigger.ts';
import {
  freePorts,
  killAll,
  killAllAtExit,
  loadCpu,
  proxyCpu,
  startServer,
  stopServer,
} from './proxies/processes.ts';
import { number, table } from './proxies/table.ts';
import { measure, workloadNamed } from './proxies/workloads.ts';

const shown = 30;
/** Not a part of the profile: code is compiled meanwhile. */
const warmUpSeconds = 3;
const samplingUs = 250;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string', default: 'small-64' },
      seconds: { type: 'string', default: '10' },
      instances: { type: 'string', default: '2' },
      general: { type: 'boolean', default: false },
      out: { type: 'string', default: 'profiles' },
    },
  });
  const workload = workloadNamed(values.workload);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    const originPorts = await freePorts(Number(values.instances));
    const [port = 0] = await freePorts(1);
    await startServer(loadCpu, originCommand(directory, originPorts), originPorts[0] ?? 0);
    const proxy = values.general ? outriggerGeneral : outrigger;
    const [node = '', ...args] = proxy.command({ port, originPorts, directory });
    const flags = ['--cpu-prof', '--cpu-prof-dir', directory, '--cpu-prof-interval', samplingUs];
    const pid = await startServer(proxyCpu, [node, ...flags.map(String), ...args], port);
    await measure(workload, { port, pid }, warmUpSeconds);
    const fromUs = nowUs();
    const seconds = Number(values.seconds);
    const { cpuUs, perSecond } = await measure(workload, { port, pid }, seconds);
    const toUs = nowUs();
    await stopServer(pid);

    const file = readdirSync(directory).find((name) => name.endsWith('.cpuprofile')) ?? '';
    const text = readFileSync(join(directory, file), 'utf8');
    const stacks = stacksOf(JSON.parse(text) as CpuProfile, { fromUs, toUs });
    mkdirSync(values.out, { recursive: true });
    writeFileSync(join(values.out, 'agent.cpuprofile'), text);
    writeFileSync(join(values.out, 'agent.folded'), foldedStacks(stacks));
    writeFileSync(join(values.out, 'agent.svg'), flameGraph(stacks));
    const calls = perSecond * seconds;
    const rows = selfTimes(stacks).slice(0, shown);
    const title = `${values.workload}: ${number(cpuUs, 1)} µs a call with the profiler; own time of functions:`;
    console.log(`${title}\n`);
    console.log(
      table(
        ['µs a call', '%'],
        rows.map(({ frame: { name, place }, selfUs, share }) => [
          textOf({ name: name.slice(0, 24), place }),
          number(selfUs / calls, 2),
          number(share * 100, 1),
        ]),
      ),
    );
    console.log(`\nwritten to ${values.out}/: agent.cpuprofile, agent.folded, agent.svg`);
  } finally {
    killAll();
  }
}

/** The clock of V8's profiles. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

await main();
