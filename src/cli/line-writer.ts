// LineWriter: writes lines to stdout or stderr without waiting for who reads them.
import { writeSync } from 'node:fs';
import { openOwnDescription } from '../agent/own-description.ts';
import { systemCodeOf } from '../core/errors.ts';

/** Lines that cannot be written are kept up to this size, and dropped beyond. */
const waitingBytesMax = 1_048_576;
const retryMs = 200;

/**
 * A line is written at once, so that the last ones before an exit are not lost. While nobody reads, or the disk is full, lines are
 * kept in bounded memory and written later, in order; the process goes on. Only a socket shared with an app can still make
 * it wait.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #onDropped: (lines: number) => void;
  /** The first one may have been written in part. */
  readonly #waiting: (string | Buffer)[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;

  /** Calls back, with their number, when lines were dropped and lines can be written again. */
  constructor(fd: 1 | 2, onDropped: (lines: number) => void = () => undefined) {
    this.#fd = openOwnDescription(fd) ?? fd;
    this.#onDropped = onDropped;
  }

  /** Never throws. */
  write(line: string): void {
    const lineBytes = Buffer.byteLength(line);
    const flows = this.#flush();
    if (!flows && this.#waitingBytes + lineBytes > waitingBytesMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += lineBytes;
    if (flows) this.#flush();
  }

  /** Whether nothing waits any more. */
  #flush(): boolean {
    try {
      for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
        this.#writeFirst(Buffer.from(line));
      }
    } catch (error) {
      // Other failures may last for ever; they are tried again with the next line.
      if (systemCodeOf(error) === 'EAGAIN') this.#retryLater();
      return false;
    }
    this.#sayDropped();
    return true;
  }

  #writeFirst(bytes: Buffer): void {
    const written = writeSync(this.#fd, bytes);
    this.#waitingBytes -= written;
    if (written < bytes.length) this.#waiting[0] = bytes.subarray(written);
    else this.#waiting.shift();
  }

  #sayDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#onDropped(dropped);
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#flush();
    }, retryMs).unref();
  }
}
