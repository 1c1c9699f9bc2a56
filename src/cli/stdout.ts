// What a command writes on stdout: all of it, or a failure.
import { fstatSync, writeSync } from 'node:fs';
import { messageOf, RuntimeError, systemCodeOf } from '../core/errors.ts';

/**
 * Throws a RuntimeError when a file cannot take all of it; other outputs fail later. Node's own stream for a file takes a write for
 * done that the system has cut short, as it does where a disk becomes full.
 */
export function writeResult(text: string): void {
  if (!fstatSync(1).isFile()) {
    process.stdout.write(text);
    return;
  }
  let left = Buffer.from(text);
  try {
    while (left.length > 0) left = left.subarray(writeSync(1, left));
  } catch (error) {
    throw failure(error);
  }
}

/** Calls back when another output has failed. Who reads it may stop at any time; that is no failure of ours. */
export function onWriteFailed(listener: (error: RuntimeError) => void): void {
  process.stdout.on('error', (error) => {
    if (systemCodeOf(error) !== 'EPIPE') listener(failure(error));
  });
}

function failure(cause: unknown): RuntimeError {
  return new RuntimeError(`the output cannot be written: ${messageOf(cause)}`, { cause });
}
