// A process with an agent that only says what it is told to do; the arguments choose what it does by itself.
import { spawnSync } from 'node:child_process';
import { runToEnd, type RunnableAgent } from '../../src/cli/lifetime.ts';
import { createLogger } from '../../src/cli/logger.ts';

process.stdout.on('error', () => undefined);
const [does, terminal] = process.argv.slice(2);
const logger = createLogger({ level: 'info', format: 'json' }, false);
const output = does === 'stalled' ? process.stderr : process.stdout;
const say = (what: string): void => void output.write(`${what}\n`);

let end: (exitCode: number) => void = () => undefined;
const done = new Promise<number>((resolve) => {
  end = resolve;
});
// Keeps the process alive as listeners would.
setInterval(() => undefined, 60_000);

const agent: RunnableAgent = {
  done,
  start: async () => {
    say('start');
    // As a worker does it: from then on a write to the shared output waits for its reader.
    if (does === 'stalled') spawnSync('true', { stdio: 'inherit' });
    if (does === 'drain-first') end(0);
    return does !== 'drain-first';
  },
  readyLine: () => 'ready',
  launch: async () => {
    say('launch');
    if (does === 'end' || does === 'stalled') end(7);
    if (does === 'throw') setImmediate(() => throwSecret());
  },
  drain: async (cause) => {
    say(`drain ${cause}`);
    if (does !== 'hang') end(0);
  },
  force: () => say('force'),
  signal: (name) => say(`signal ${name}`),
};

function throwSecret(): never {
  throw new Error('broken: redis://:hunter2@h');
}

await runToEnd(agent, logger, { terminal: terminal === 'terminal' });
