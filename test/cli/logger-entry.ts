// Logs 100 MB, then says on stdout how many MB of memory the process has.
import { createLogger } from '../../src/cli/logger.ts';

const logger = createLogger({ level: 'info', format: 'json' }, false);
const text = 'x'.repeat(1000);
for (let line = 0; line < 100_000; line++) logger.info({ text }, 'a line');
process.stdout.write(`${Math.round(process.memoryUsage.rss() / 1_048_576)}\n`);
