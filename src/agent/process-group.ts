// A process group as the operating system knows it: to signal it, and to see whether somebody in it still lives.
import { readdir, readFile } from 'node:fs/promises';

/** Signals every process of the group; false when there is none to signal. */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-groupId, signal);
  } catch {
    return false;
  }
}

/**
 * Whether the group has a member that still runs. Ended processes that nobody has reaped stay in their group for ever where
 * process 1 is no init; they do not count. Only Linux can tell them from others.
 */
export async function groupIsAlive(groupId: number): Promise<boolean> {
  if (!signalGroup(groupId, 0)) return false;
  if (process.platform !== 'linux') return true;
  const states = await statesOfMembers(groupId);
  // Members that /proc hides from us still answer to the signal.
  return states.length === 0 || states.some((state) => state !== 'Z' && state !== 'X');
}

/** The one-letter states of the group's members, as in proc_pid_stat(5). */
async function statesOfMembers(groupId: number): Promise<string[]> {
  const states: string[] = [];
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    // A process may end between the two reads.
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => '');
    // The second field is the command in parentheses, which may hold anything.
    const [state = '', , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(group) === groupId) states.push(state);
  }
  return states;
}
