// Logs 100 MB to an output that a child process has shared, then says on stdout how many MB of memory the process has.
import { spawnSync } from 'node:child_process';
import { createLogger } from '../../src/cli/logger.ts';

const logger = createLogger({ level: 'info', format: 'json' }, false);
// From then on a write to the shared output waits for its reader.
spawnSync('true', { stdio: 'inherit' });
const text = 'x'.repeat(10_000);
for (let line = 0; line < 10_000; line++) logger.info({ text }, 'a line');
process.stdout.write(`${Math.round(process.memoryUsage.rss() / 1_048_576)}\n`);
if (process.argv[2] === 'stay') setInterval(() => undefined, 60_000);
