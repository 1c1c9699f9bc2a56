// A worker's process as the control process holds it, over node:cluster.
import cluster, { type Worker } from 'node:cluster';
import { closeSync } from 'node:fs';
import { openOwnDescription } from '../own-description.ts';
import type { ToWorker } from './messages.ts';

/** What the control process needs of a process that it started. */
export interface Child {
  readonly pid: number;
  /** Calls back when the message has left this process, or cannot. */
  send(message: ToWorker, onSent: () => void): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Calls back once, with the exit code or the signal. */
  onExit(listener: (how: number | string) => void): void;
  /** Ends it at once. */
  kill(): void;
}

/**
 * The control process accepts each connection and hands it to the workers in turn (round robin). Sharing the listening socket
 * itself would spare that, but then a burst of connections ends up in whichever worker wakes first, and keep-alive leaves it there.
 *
 * The worker gets no signal of its own from here but the last one: it follows its messages, and ends by itself when the control
 * process is gone.
 */
export function forkWorker(program: string): Child {
  const worker = fork(program);
  // A message to a process that has just ended; its exit says all.
  worker.on('error', () => undefined);
  closeLostConnections(worker);
  return {
    pid: worker.process.pid ?? 0,
    send: (message, onSent) => void worker.send(message, onSent),
    onMessage: (listener) => void worker.on('message', listener),
    onExit: (listener) => {
      worker.once('exit', (code: number | null, signal: string | null) => {
        listener(signal ?? code ?? 'unknown');
      });
    },
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

/**
 * Node makes the outputs that it uses return when nobody reads them (O_NONBLOCK). The app, which may run already, shares those of this
 * process and would lose what it writes; so a worker has no stdout, and a stderr of its own where there can be one.
 */
function fork(program: string): Worker {
  const stderr = openOwnDescription(2);
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: program,
    args: [],
    stdio: ['ignore', 'ignore', stderr ?? 'inherit', 'ipc'],
  });
  try {
    return cluster.fork();
  } finally {
    if (stderr !== undefined) closeSync(stderr);
  }
}

interface Handle {
  close(): void;
}

/**
 * A connection that was handed to a process which dies before it takes it is forgotten by node:cluster, and would stay open with
 * its client waiting. So the latest one of each listening place is remembered (there is no second one until it was taken) and
 * closed with the process; closing one that was taken does nothing. Cluster's own messages have no contract: with others, nothing
 * is remembered, and nothing else changes.
 */
function closeLostConnections(worker: Worker): void {
  const handed = new Map<string, Handle>();
  const { process: child } = worker;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]): boolean => {
    const [message, handle] = args;
    if (isHandOver(message) && isHandle(handle)) handed.set(message.key, handle);
    return send(...args);
  };
  worker.once('exit', () => {
    for (const handle of handed.values()) handle.close();
  });
}

function isHandOver(message: unknown): message is { readonly key: string } {
  if (typeof message !== 'object' || message === null) return false;
  const { act, key } = message as Record<string, unknown>;
  return act === 'newconn' && typeof key === 'string';
}

function isHandle(value: unknown): value is Handle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'close' in value &&
    typeof value.close === 'function'
  );
}
