// A pipe whose reader has stalled, for the output of a process.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface StalledPipe {
  /** For the process, as one of its outputs. */
  readonly writeFd: number;
  /** Writes into it until it is full. */
  fill(): void;
  /** What is in it now; empty when there is nothing. */
  read(): string;
}

/** Removed when the test is over. What `child_process` itself calls a pipe is a pair of sockets. */
export function stalledPipe(t: TestContext): StalledPipe {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-pipe-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, 'w');
  t.after(() => {
    closeSync(readFd);
    closeSync(writeFd);
    rmSync(directory, { recursive: true });
  });
  return {
    writeFd,
    fill: () => {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      whileItCan(() => writeSync(fd, 'x'.repeat(4096)));
      closeSync(fd);
    },
    read: () => {
      const parts: Buffer[] = [];
      const part = Buffer.alloc(65_536);
      whileItCan(() => parts.push(Buffer.from(part.subarray(0, readSync(readFd, part)))));
      return Buffer.concat(parts).toString();
    },
  };
}

/** Until the system says that it would have to wait. */
function whileItCan(act: () => void): void {
  try {
    for (;;) act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
