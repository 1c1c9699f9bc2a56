// Heap snapshots of a running agent, written by Node itself at a signal.
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminStatus } from '../proxies/admin.ts';
import { number, table } from '../proxies/table.ts';
import { grownClasses, type HeapSnapshot } from './heap-growth.ts';

const signal = 'SIGUSR2';
const patienceMs = 60_000;
const shown = 10;

/** Node's own options for a process that is to write snapshots into this directory. */
export function snapshotFlags(directory: string): string[] {
  return [`--heapsnapshot-signal=${signal}`, `--diagnostic-dir=${directory}`];
}

/**
 * Has the agent write a snapshot to `DIRECTORY/NAME.heapsnapshot`. It does nothing else meanwhile; resolves with the time
 * that this took, in ms.
 */
export async function takeSnapshot(
  { pid, adminPort }: { readonly pid: number; readonly adminPort: number },
  directory: string,
  name: string,
): Promise<number> {
  const sentMs = performance.now();
  process.kill(pid, signal);
  let written: string | undefined;
  while (written === undefined) {
    await sleep(10);
    if (performance.now() - sentMs > patienceMs) throw new Error('the agent writes no snapshot');
    written = readdirSync(directory).find((file) => isOf(file, pid));
  }
  // The file is there when its writing begins. Who answers again has ended it.
  await adminStatus(adminPort);
  const tookMs = performance.now() - sentMs;
  renameSync(join(directory, written), pathOf(directory, name));
  return tookMs;
}

/** What grew from one to the other, as a table. */
export function growthTable(directory: string, before: string, after: string): string {
  const rows = grownClasses(read(directory, before), read(directory, after)).slice(0, shown);
  return table(
    ['more objects', 'of', 'more KB', 'of'],
    rows.map(({ name, objects, moreObjects, bytes, moreBytes }) => [
      name.slice(0, 40),
      number(moreObjects, 0),
      number(objects, 0),
      number(moreBytes / 1024, 1),
      number(bytes / 1024, 1),
    ]),
  );
}

/** Node names them Heap.DATE.TIME.PID.THREAD.NUMBER.heapsnapshot. */
function isOf(file: string, pid: number): boolean {
  return file.startsWith('Heap.') && file.includes(`.${pid}.`) && file.endsWith('.heapsnapshot');
}

function read(directory: string, name: string): HeapSnapshot {
  return JSON.parse(readFileSync(pathOf(directory, name), 'utf8')) as HeapSnapshot;
}

function pathOf(directory: string, name: string): string {
  return join(directory, `${name}.heapsnapshot`);
}
