// The file system's own time: the one that heartbeats are stamped with, whatever the clocks of the hosts that share it say.
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { isMissing } from './failure.ts';

interface ServerTimeDeps {
  readonly clock: Clock;
  /** Makes a file name that nobody else uses. */
  readonly uniqueName: () => string;
}

/** Asked by writing a byte to a file and reading the file's mtime. */
export class ServerTime {
  readonly #deps: ServerTimeDeps;
  readonly #folder: string;
  #file: Promise<FileHandle> | 'closed' | undefined;

  constructor(deps: ServerTimeDeps, folder: string) {
    this.#deps = deps;
    this.#folder = folder;
  }

  /** Milliseconds since 1970. On a full disk it is this host's time, which is the same on a local file system. */
  async nowMs(): Promise<number> {
    if (this.#file === 'closed') return this.#deps.clock.wallMs();
    const opening = this.#file ?? this.#open();
    this.#file = opening;
    try {
      const file = await opening;
      await file.write('.', 0);
      return (await file.stat()).mtimeMs;
    } catch {
      if (this.#file === opening) this.#file = undefined;
      await closeQuietly(opening);
      return this.#deps.clock.wallMs();
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = 'closed';
    if (file !== undefined && file !== 'closed') await closeQuietly(file);
  }

  /** The file has no name while it is in use, so that a crash leaves nothing behind. */
  async #open(): Promise<FileHandle> {
    const path = join(this.#folder, this.#deps.uniqueName());
    const file = await open(path, 'wx');
    await unlink(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    return file;
  }
}

async function closeQuietly(opening: Promise<FileHandle>): Promise<void> {
  try {
    await (await opening).close();
  } catch {
    // It was never open, or is closed.
  }
}
