// Proxies side by side: the same load and the same instances behind each of them, in turn, on the same CPU.
//
//   npm run bench [-- --workload small-64,mixed|all] [-- --rounds N] [-- --seconds N] [-- --instances 2,10,100]
//                 [-- --proxy haproxy,outrigger] [-- --node 20,22,24,26] [-- --json FILE] [-- --svg FILE] [-- --install]
//
// Linux with two CPUs or more, wrk, nginx and taskset. What else is not installed is left out, by name.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseOptions } from './proxies/options.ts';
import { killAll, killAllAtExit } from './proxies/processes.ts';
import { findProgram, install } from './proxies/programs.ts';
import { print, save } from './proxies/results.ts';
import { runAll, startAll } from './proxies/run.ts';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  const { plan } = options;
  const needed = ['wrk', 'nginx', 'taskset'].filter((name) => findProgram(name) === undefined);
  if (needed.length > 0 || availableParallelism() < 2) {
    throw new Error(`this needs two CPUs and ${needed.join(', ') || 'nothing else'}`);
  }
  if (options.install) install(options.nodeVersions);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  killAllAtExit();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  try {
    const groups = await startAll(plan, directory);
    await runAll(groups, plan);
    print(groups, plan);
    save(groups, options);
  } finally {
    killAll();
  }
}

await main();
