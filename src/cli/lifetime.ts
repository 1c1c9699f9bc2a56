// The agent in its process: the ready line, signals, and the exit.
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { LineWriter } from './line-writer.ts';

/** What this file needs of the agent. */
export interface RunnableAgent {
  /** Resolves when the proxy and the admin API listen, or false when a drain came first. A failed start leaves nothing behind. */
  start(): Promise<boolean>;
  readyLine(): string;
  /** Starts the app and its registration. Never rejects. */
  launch(): Promise<void>;
  drain(cause: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** Cuts a drain short. */
  force(): void;
  /** Passes a signal on to the app. */
  signal(name: NodeJS.Signals): void;
  /** The exit code, when nothing of the agent is left. */
  readonly done: Promise<number>;
}

export interface LifetimeOptions {
  /** The process was started from a terminal: when that is closed, nobody is left who could stop it. */
  readonly terminal: boolean;
}

/** Time that a forced exit gives the agent to end the app. */
const forcedExitMs = 1000;

/**
 * Runs the agent until it has ended, then exits the process with its code. Prints one line on stdout as soon as the agent
 * listens. The first SIGTERM, SIGINT or SIGQUIT drains, the second forces the exit; SIGHUP of a closed terminal is a SIGTERM, any
 * other goes to the app, as SIGUSR1 and SIGUSR2 do. Rejects when the agent cannot start.
 */
export async function runToEnd(
  agent: RunnableAgent,
  logger: Logger,
  options: LifetimeOptions,
): Promise<void> {
  exitOnDefect(agent, logger);
  handleSignals(agent, logger, options);
  if (await agent.start()) {
    new LineWriter(1).write(`${agent.readyLine()}\n`);
    void agent.launch();
  }
  process.exit(await agent.done);
}

function handleSignals(agent: RunnableAgent, logger: Logger, { terminal }: LifetimeOptions): void {
  let stops = 0;
  const stop = (cause: 'SIGTERM' | 'SIGINT'): void => {
    stops++;
    if (stops === 1) void agent.drain(cause);
    else forceExit(agent, logger);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // Ctrl-\, and what an image may name as its stop signal.
  process.on('SIGQUIT', () => stop('SIGTERM'));
  process.on('SIGHUP', () => (terminal ? stop('SIGTERM') : agent.signal('SIGHUP')));
  // Without a listener, SIGUSR1 would open Node's debugger.
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => agent.signal(name));
}

function forceExit(agent: RunnableAgent, logger: Logger): void {
  logger.warn({}, 'second signal: exiting without waiting');
  agent.force();
  setTimeout(() => process.exit(1), forcedExitMs);
}

/** After a defect nothing can be relied on: the app is told to stop, and the lease runs out by itself. */
function exitOnDefect(agent: RunnableAgent, logger: Logger): void {
  const exit = (error: unknown): never => {
    const stack = error instanceof Error ? error.stack : undefined;
    logger.error({ cause: messageOf(error), stack }, 'unexpected failure: exiting');
    agent.signal('SIGTERM');
    process.exit(1);
  };
  process.on('uncaughtException', exit);
  process.on('unhandledRejection', exit);
}
