// A worker's process as the control process holds it, over node:cluster.
import cluster from 'node:cluster';
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
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({ exec: program, args: [], silent: false });
  const worker = cluster.fork();
  // A message to a process that has just ended; its exit says all.
  worker.on('error', () => undefined);
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
