// One process of a TypeScript file in this folder, and what it said.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';

/** A process that has not ended by then is killed; its code is null. */
const deadlineMs = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<Ended>;
  /** Waits until the output so far contains the text. */
  readonly said: (text: string) => Promise<unknown>;
}

/** Starts the file; kills it when the test is over. The environment is bare. */
export function start(
  t: TestContext,
  file: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Running {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...environment },
  });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    child,
    ended,
    said: (text) => eventually(`it says ${text}`, () => (stdout + stderr).includes(text)),
  };
}

/** Runs the program to its end. */
export function outrigger(
  t: TestContext,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return start(t, './entry.ts', args, environment).ended;
}
