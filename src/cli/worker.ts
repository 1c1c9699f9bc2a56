// The program of a worker: a process that the agent starts and that carries calls for it. No command of its own.
import { parseToWorker, type FromWorker } from '../agent/workers/messages.ts';
import { Worker } from '../agent/workers/worker.ts';
import { systemClock as clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { systemRandom as random } from '../core/random.ts';
import { createLogger } from './logger.ts';

let worker: Worker | undefined;

// A Ctrl-C reaches every process of the terminal's group; when and how to end, the agent says.
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
  process.on(signal, () => undefined);
}
// Without the agent nobody could stop it, and the ports would stay taken.
process.on('disconnect', () => process.exit(0));
process.on('message', (value) => {
  const message = parseToWorker(value);
  if (message === undefined) return;
  if (message.kind !== 'start') {
    worker?.receive(message);
    return;
  }
  const color = process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  const logger = createLogger(message.log, color).child({ worker: process.pid });
  exitOnDefect(logger);
  worker = new Worker({ send, clock, random, logger }, message);
  void worker.closed.then(() => {
    // Not before the last message has left.
    process.disconnect();
  });
  void worker.start();
});
send({ kind: 'awake' });

function send(message: FromWorker): void {
  // The agent may have gone just now; then `disconnect` follows.
  process.send?.(message, undefined, undefined, () => undefined);
}

/** The agent starts another one. */
function exitOnDefect(logger: Logger): void {
  const exit = (error: unknown): never => {
    const stack = error instanceof Error ? error.stack : undefined;
    logger.error({ cause: messageOf(error), stack }, 'unexpected failure: the worker exits');
    process.exit(1);
  };
  process.on('uncaughtException', exit);
  process.on('unhandledRejection', exit);
}
