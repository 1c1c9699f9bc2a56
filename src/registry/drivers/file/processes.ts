// Which process wrote a record, and whether it still runs. Only Linux can tell; elsewhere the lease time decides alone.
import { readFile, readlink } from 'node:fs/promises';
import { systemCodeOf } from '../../../core/errors.ts';
import { forEachFew } from './files.ts';

/** Names one process among all that ever ran: a process id alone is used again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks from the boot to the process's start. */
  readonly startTicks: number;
  readonly bootId: string;
  /** The namespaces in which `pid` and `startTicks` mean something. */
  readonly namespaces: string;
}

/** The identity of this process, or undefined where the system does not tell. */
export async function ownProcess(): Promise<ProcessIdentity | undefined> {
  try {
    const [stat, bootId, pidNamespace] = await Promise.all([
      readFile('/proc/self/stat', 'latin1'),
      readFile('/proc/sys/kernel/random/boot_id', 'latin1'),
      readlink('/proc/self/ns/pid'),
    ]);
    const timeNamespace = await readlink('/proc/self/ns/time').catch(() => '');
    const own = parseProcessStat(stat);
    if (own === undefined) return undefined;
    return {
      pid: process.pid,
      startTicks: own.startTicks,
      bootId: bootId.trim(),
      namespaces: `${pidNamespace} ${timeNamespace}`.trim(),
    };
  } catch {
    return undefined;
  }
}

/** Which of these processes have certainly ended, as `own` can tell; of those elsewhere nothing is known. */
export async function findEnded(
  own: ProcessIdentity | undefined,
  identities: Iterable<ProcessIdentity>,
): Promise<ReadonlySet<string>> {
  const local = new Map<string, ProcessIdentity>();
  for (const identity of identities) {
    if (own !== undefined && areComparable(own, identity)) local.set(keyOf(identity), identity);
  }
  const ended = new Set<string>();
  await forEachFew(local, async ([key, identity]) => {
    if (!(await isRunning(identity))) ended.add(key);
  });
  return ended;
}

/** Equal for records of one process. */
export function keyOf({ pid, startTicks, bootId, namespaces }: ProcessIdentity): string {
  return `${pid} ${startTicks} ${bootId} ${namespaces}`;
}

/** Whether both run on one kernel and see each other's process ids. */
function areComparable(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.bootId === b.bootId && a.namespaces === b.namespaces;
}

/** False only when the process has certainly ended. It must be comparable with this one. */
async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  try {
    const stat = parseProcessStat(await readFile(`/proc/${identity.pid}/stat`, 'latin1'));
    if (stat === undefined) return true;
    return stat.startTicks === identity.startTicks && !stat.ended;
  } catch (error) {
    // /proc may hide the processes of other users; a signal of 0 asks the kernel itself.
    return systemCodeOf(error) !== 'ENOENT' || processExists(identity.pid);
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH';
  }
}

/** Reads /proc/PID/stat (proc(5)): `ended` processes wait for their parent to take notice. */
export function parseProcessStat(
  text: string,
): { readonly startTicks: number; readonly ended: boolean } | undefined {
  // The name, second of the fields, may contain spaces and parentheses; the fields count from its last parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[19]);
  if (fields.length < 20 || !Number.isSafeInteger(startTicks)) return undefined;
  return { startTicks, ended: fields[0] === 'Z' || fields[0] === 'X' };
}
