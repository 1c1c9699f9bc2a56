// Small file operations that the driver's parts share.
import { constants, type Stats } from 'node:fs';
import { lstat, open, writeFile } from 'node:fs/promises';
import { unlessMissing } from './failure.ts';

/** Never follows a link nor waits for the other end of a pipe: in a shared directory both could be traps. */
const openSafely = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What tells a file from the one that was there before: a rename brings another inode, a write another mtime. */
export function stampOf(stats: Stats): string {
  return `${stats.ino} ${stats.mtimeMs} ${stats.size}`;
}

export async function statIfAny(path: string): Promise<Stats | undefined> {
  return unlessMissing(lstat(path));
}

export interface SmallFile {
  readonly stamp: string;
  /** Undefined when it is no plain file, or too long. */
  readonly text: string | undefined;
}

export async function readSmallFile(path: string, bytesMax: number): Promise<SmallFile> {
  const file = await open(path, constants.O_RDONLY | openSafely);
  try {
    const stats = await file.stat();
    const stamp = stampOf(stats);
    if (!stats.isFile() || stats.size > bytesMax) return { stamp, text: undefined };
    const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
    return { stamp, text: buffer.toString('utf8', 0, bytesRead) };
  } finally {
    await file.close();
  }
}

/** Writes the text at the beginning of the file, whether or not there is one. Space that it has it keeps. */
export async function putFile(path: string, text: string): Promise<void> {
  const flag = constants.O_WRONLY | constants.O_CREAT | openSafely;
  await writeFile(path, text, { flag, mode: 0o644 });
}

/**
 * Sets the file's mtime to the file system's own time. Writing the byte that is there already does that without asking for
 * space, so it works on a full disk, and without naming a time, so it is right on a network file system.
 */
export async function touch(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | openSafely);
  try {
    await file.write('.', 0);
  } finally {
    await file.close();
  }
}

/**
 * Does `work` for each item, a few at a time: a thousand open files at once are more than some systems allow. Rejects with
 * the first failure, when nothing is under way any more.
 */
export async function forEachFew<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items].reverse();
  const worker = async (): Promise<void> => {
    try {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item);
    } catch (error) {
      queue.length = 0;
      throw error;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: 16 }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
