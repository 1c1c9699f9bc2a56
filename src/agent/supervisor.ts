// Supervisor: starts the app's command, passes signals on to it, and ends it with everything that it started.
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { messageOf, RuntimeError, systemCodeOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { groupIsAlive, signalGroup } from './process-group.ts';

export interface SupervisorDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SupervisorOptions {
  /** The program and its arguments; no shell looks at them. */
  readonly argv: readonly string[];
  /** The app's environment, to which the two addresses are added. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The URLs that the app finds in OUTRIGGER_PROXY and OUTRIGGER_ADMIN; asked at the start, when the ports are known. */
  readonly proxyUrl: () => string;
  readonly adminUrl: () => string;
}

export interface AppExit {
  /** The app's own exit code, or 128 + n when signal n ended it, as shells have it. */
  readonly code: number;
}

/** The app's command cannot be started. */
export class AppStartError extends RuntimeError {
  /** As shells have it: 127 for a command that is not found, 126 for one that may not be executed, else 1. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/**
 * Of the app's process group: `idle` before the start, `running`, `stopping` when SIGTERM has been sent, `gone` when nobody in
 * the group lives any more (or the start has failed).
 */
type GroupState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly groupId: number }
  | { readonly kind: 'stopping'; readonly groupId: number }
  | { readonly kind: 'gone' };

/** How often a group whose first process has ended is looked at. */
const lookIntervalMs = 50;
/** How long the end of a killed group is waited for; only a process stuck in the kernel takes longer. */
const killWaitMs = 1000;

/**
 * One life of the app: it is started once and never again.
 *
 * The app gets a process group (and a session) of its own, so that it receives exactly the signals that are passed on to it: a
 * Ctrl-C at the terminal reaches the agent alone. The price is that the app has no controlling terminal: its input and output
 * are the agent's own, also when they are a terminal, but job control and /dev/tty do not work in it.
 *
 * Only the app's own group is ever signalled. Its number cannot belong to others while the first process is not reaped or
 * another member lives, which is looked at every 50 ms.
 */
export class Supervisor implements Component {
  /** Resolves when the app's first process has ended, for whatever reason; other members of its group may still run. */
  readonly exited: Promise<AppExit>;
  readonly #deps: SupervisorDependencies;
  readonly #options: SupervisorOptions;
  readonly #gone: Promise<void>;
  readonly #givenUp = new AbortController();
  #announceExit: (exit: AppExit) => void = () => undefined;
  #announceGone: () => void = () => undefined;
  #state: GroupState = { kind: 'idle' };
  #starting: Promise<void> | undefined;

  constructor(deps: SupervisorDependencies, options: SupervisorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.exited = new Promise((resolve) => {
      this.#announceExit = resolve;
    });
    this.#gone = new Promise((resolve) => {
      this.#announceGone = resolve;
    });
  }

  /** Rejects with an AppStartError when the command cannot be found or run. */
  start(): Promise<void> {
    this.#starting ??= this.#spawn();
    return this.#starting;
  }

  /** Passes a signal on to the app's whole group; does nothing when the app does not run. */
  signal(name: NodeJS.Signals): void {
    if (this.#state.kind === 'running' || this.#state.kind === 'stopping') {
      signalGroup(this.#state.groupId, name);
    }
  }

  /**
   * SIGTERM to the group, SIGKILL after `graceMs` (at once when it is 0); resolves when all of the group have ended. Further
   * calls send no second SIGTERM, and the shortest grace wins.
   */
  stop(graceMs: number): Promise<void> {
    if (this.#state.kind === 'idle') this.#enterGone();
    if (this.#state.kind === 'running' && graceMs > 0) this.#terminate(this.#state.groupId);
    return graceMs > 0 ? this.#killAfter(graceMs) : this.#kill();
  }

  /** Kills what is left at once. */
  close(): Promise<void> {
    return this.stop(0);
  }

  async #spawn(): Promise<void> {
    if (this.#state.kind !== 'idle') throw new RuntimeError('the app was stopped before its start');
    const { argv, env, proxyUrl, adminUrl } = this.#options;
    const [program = '', ...args] = argv;
    try {
      const child = spawn(program, args, {
        detached: true,
        stdio: 'inherit',
        env: { ...env, OUTRIGGER_PROXY: proxyUrl(), OUTRIGGER_ADMIN: adminUrl() },
      });
      await this.#attach(child);
      this.#deps.logger.info({ pid: child.pid, command: program }, 'the app was started');
    } catch (error) {
      this.#enterGone();
      throw startError(program, error);
    }
  }

  /** Resolves when the program runs; rejects with the system's error when it cannot. */
  #attach(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const { pid } = child;
      child.on('spawn', resolve);
      child.on('error', reject);
      if (pid === undefined) return;
      this.#state = { kind: 'running', groupId: pid };
      child.on('exit', (code, signal) => {
        this.#onExit(pid, code ?? codeOfSignal(signal));
      });
    });
  }

  #onExit(groupId: number, code: number): void {
    this.#deps.logger.info({ pid: groupId, code }, 'the app has ended');
    this.#announceExit({ code });
    void this.#watchRest(groupId);
  }

  /** Often the first process is a shell that ends before the app behind it, which then is still at work. */
  async #watchRest(groupId: number): Promise<void> {
    try {
      while (await groupIsAlive(groupId)) {
        await this.#deps.clock.sleep(lookIntervalMs, this.#givenUp.signal);
      }
    } catch {
      // Given up: the group could not be killed.
    }
    this.#enterGone();
  }

  #terminate(groupId: number): void {
    this.#state = { kind: 'stopping', groupId };
    signalGroup(groupId, 'SIGTERM');
  }

  async #killAfter(graceMs: number): Promise<void> {
    if (await this.#isGoneWithin(graceMs)) return;
    this.#deps.logger.warn({ graceMs }, 'the app did not stop in time and is killed');
    await this.#kill();
  }

  async #kill(): Promise<void> {
    this.signal('SIGKILL');
    if (await this.#isGoneWithin(killWaitMs)) return;
    this.#deps.logger.error({}, 'the app could not be killed');
    this.#givenUp.abort();
  }

  #isGoneWithin(durationMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(durationMs, () => {
        resolve(false);
      });
      void this.#gone.then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #enterGone(): void {
    this.#state = { kind: 'gone' };
    this.#announceGone();
  }
}

function codeOfSignal(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Bash's rule: what the system has in place of a program is not found, or may not be executed. */
const refusals: Readonly<Record<string, readonly [exitCode: number, why: string]>> = {
  ENOENT: [127, 'command not found'],
  EACCES: [126, 'command is not executable'],
  ENOEXEC: [126, 'command is not executable'],
  ENOTDIR: [126, 'command is not executable'],
};

function startError(program: string, error: unknown): AppStartError {
  const [exitCode, why] = refusals[systemCodeOf(error) ?? ''] ?? [1, undefined];
  const message =
    why === undefined ? `cannot start ${program}: ${messageOf(error)}` : `${why}: ${program}`;
  return new AppStartError(message, exitCode, { cause: error });
}
