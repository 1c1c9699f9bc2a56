// Starts a worker that uses its outputs; then says, by its exit code, whether its own still wait for their reader.
import { constants, readFileSync } from 'node:fs';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { forkWorker } from '../../../src/agent/workers/child.ts';

const waits = (fd: number): boolean => {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  return (parseInt(flags ?? '', 8) & constants.O_NONBLOCK) === 0;
};

if (cluster.isPrimary) {
  const worker = forkWorker(fileURLToPath(import.meta.url));
  worker.onMessage(() => process.exit(waits(1) && waits(2) ? 0 : 1));
} else {
  process.stdout.write('');
  process.stderr.write('');
  process.on('disconnect', () => process.exit());
  process.send?.('done');
}
