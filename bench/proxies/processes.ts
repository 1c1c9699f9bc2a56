// Processes pinned to one CPU each, and what the operating system says of their CPU time and memory.
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The proxies have this CPU to themselves. */
export const proxyCpu = 0;
/** Load and origin share this one. */
export const loadCpu = 1;

export interface CpuTime {
  readonly userUs: number;
  readonly systemUs: number;
}

const startMs = 15_000;
const lastWordsMax = 1000;

const running = new Set<ChildProcess>();

/** Starts a program on that CPU; it ends with this process at the latest. */
function startPinned(
  cpu: number,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn('taskset', ['-c', String(cpu), ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
  // A program that is not there is noticed by whoever waits for it.
  child.on('error', () => undefined);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs a program on that CPU to its end and returns what it printed. */
export async function runPinned(
  cpu: number,
  command: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<string> {
  const child = startPinned(cpu, command, options.env);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  const errors = lastWords(child);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${command[0] ?? ''} failed: ${errors()}`);
  return text;
}

/** Starts a server on that CPU and waits until it answers `GET /` on the port with 200. */
export async function startServer(
  cpu: number,
  command: readonly string[],
  port: number,
): Promise<number> {
  const child = startPinned(cpu, command);
  child.stdout.resume();
  const errors = lastWords(child);
  const deadlineMs = performance.now() + startMs;
  while (child.exitCode === null && performance.now() < deadlineMs) {
    if (await answers(port)) return child.pid ?? 0;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`it does not start: ${errors()}`);
}

/** Asks a server that was started here to end, and waits until it has. */
export async function stopServer(pid: number): Promise<void> {
  const child = [...running].find((one) => one.pid === pid);
  if (child === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Ends every process that was started here and still runs. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Processes end with this one, however it ends. */
export function killAllAtExit(): void {
  process.once('exit', killAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
}

/**
 * CPU time of a process and its children so far. The kernel counts the sum in nanoseconds, but user and system apart only in
 * ticks of 10 ms: their shares are exact only when there is much of both.
 */
export function cpuTime(pid: number): CpuTime {
  let totalUs = 0;
  let userTicks = 0;
  let systemTicks = 0;
  for (const one of tree(pid)) {
    for (const thread of readdirSync(`/proc/${one}/task`)) {
      totalUs += Number(read(`/proc/${one}/task/${thread}/schedstat`).split(' ')[0]) / 1000;
    }
    // Fields 14 and 15; the second one, in brackets, may contain spaces.
    const fields = read(`/proc/${one}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    userTicks += Number(fields[11]);
    systemTicks += Number(fields[12]);
  }
  const userShare = userTicks / Math.max(1, userTicks + systemTicks);
  return { userUs: totalUs * userShare, systemUs: totalUs * (1 - userShare) };
}

/** Resident memory of a process and its children. */
export function residentMb(pid: number): number {
  const kb = tree(pid).map((one) => /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${one}/status`))?.[1]);
  return kb.reduce((sum, one) => sum + Number(one ?? 0), 0) / 1024;
}

/** Open descriptors of a process, and how many of them are sockets. */
export function descriptors(pid: number): { readonly all: number; readonly sockets: number } {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((name) => linkOf(`${folder}/${name}`));
  const open = targets.filter((target) => target !== '');
  return { all: open.length, sockets: open.filter((one) => one.startsWith('socket:')).length };
}

/** Ports on 127.0.0.1 that were free just now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** The end of what it writes to its standard error, until now. */
function lastWords(child: ChildProcessByStdio<null, Readable, Readable>): () => string {
  let text = '';
  child.stderr.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString()).slice(-lastWordsMax);
  });
  return () => text.trim();
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, headers: { host: 'web' }, timeout: 1000 };
    const call = get({ ...options, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    call.on('error', () => resolve(false)).on('timeout', () => call.destroy());
  });
}

function tree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(tree)];
}

/** Empty when the descriptor has been closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Empty when the thread has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
