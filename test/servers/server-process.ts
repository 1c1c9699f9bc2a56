// What all real servers of the tests have in common: a process with a directory, a free port, and Debian's packages.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, closeSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One server process that can be ended, started again and stopped for a while. Killed at the latest when the tests exit. */
export class ServerProcess {
  /** Its own, empty at first, kept over restarts; removed by `stop`. */
  readonly directory: string;
  readonly #name: string;
  #child: ChildProcess | undefined;

  /** `parent`: where the directory is made. */
  constructor(name: string, parent: string = tmpdir()) {
    this.#name = name;
    this.directory = mkdtempSync(join(parent, `outrigger-${name}-`));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when `isReady` does so with true; rejects with the end of the server's log when it exits before. */
  async start(
    { file, args, env }: ServerCommand,
    isReady: () => Promise<boolean>,
    deadlineMs = 30_000,
  ): Promise<void> {
    const log = openSync(this.logPath, 'a');
    const child = spawn(file, args, {
      cwd: this.directory,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    this.#child = child;
    running.add(this);
    const hasEnded = (): boolean =>
      failure !== undefined || child.exitCode !== null || child.signalCode !== null;
    await eventually(
      `${this.#name} is ready or has ended`,
      async () => hasEnded() || (await isReady()),
      { deadlineMs },
    );
    // Also after an answer: that may have been another program's on the same port.
    if (hasEnded()) throw new Error(`${this.#name} ended: ${failure?.message ?? this.log()}`);
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends the process, which can be started again. Idempotent. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    running.delete(this);
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    await ended;
  }

  /** Kills the process and removes the directory. */
  async stop(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The end of what it wrote to stdout and stderr. */
  log(): string {
    return readFileSync(this.logPath, 'utf8').slice(-2000);
  }

  get logPath(): string {
    return join(this.directory, 'log');
  }

  /** When there is no time to wait for its end. */
  kill(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const running = new Set<ServerProcess>();
process.once('exit', () => running.forEach((server) => server.kill()));

/**
 * The reason why tests with a program of a Debian package cannot run here, if there is one. Installs the packages when the
 * program is missing and this is root. Under CI=true a missing program is an error, so that nothing is skipped unseen.
 */
export function requireProgram(file: string, packages: readonly string[]): string | undefined {
  if (isInstalled(file)) return undefined;
  if (process.getuid?.() === 0) install(packages);
  if (isInstalled(file)) return undefined;
  const reason = `${file} is not installed (apt-get install ${packages.join(' ')})`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

function isInstalled(file: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', file]).status === 0;
}

function install(packages: readonly string[]): void {
  // No service of a package may start: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = ['-qq', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  spawnSync('apt-get', ['update', '-qq'], { env });
  spawnSync('apt-get', ['install', ...options, ...packages], { env });
}

/** Whether something accepts connections there. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}
