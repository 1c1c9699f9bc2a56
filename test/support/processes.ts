// Real processes in tests: a directory to meet them in, and whether they still run.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually } from './eventually.ts';

/** Gone when the test ends. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'outrigger-test-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The fields of proc_pid_stat(5) from the state on; undefined when there is no such process. */
export async function statOf(pid: number): Promise<readonly string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** A process that has ended but is not reaped yet does not run. */
export async function isRunning(pid: number): Promise<boolean> {
  const state = (await statOf(pid))?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export async function untilEnded(pid: number): Promise<void> {
  await eventually(`process ${pid} has ended`, async () => !(await isRunning(pid)));
}

/** The text that a process writes to the file, once it ends with a line break; without it. */
export function writtenTo(file: string): Promise<string> {
  return eventually(`something is written to ${file}`, async () => {
    const text = await readFile(file, 'utf8');
    return text.endsWith('\n') && text.trimEnd();
  });
}

/** The pid that a process writes to the file. */
export async function pidIn(file: string): Promise<number> {
  return Number(await writtenTo(file));
}
