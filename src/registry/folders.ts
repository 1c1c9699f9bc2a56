// Making a folder together with those above it, wherever that may be.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '../core/errors.ts';

/**
 * Makes the folder and what is missing above it, each with `mode`; resolves with whether the folder was made, false when
 * its name was taken. Rejects with the system's error. Not mkdir's own `recursive`: that tries for ever where a folder
 * that exists takes no new ones and says ENOENT (a mounted one that was removed on its host, /proc). Here each is tried once.
 */
export async function makeFolders(path: string, mode: number): Promise<boolean> {
  const missing: string[] = [];
  for (let at = path; !(await exists(at)); at = dirname(at)) missing.unshift(at);
  let made = false;
  for (const folder of missing) made = await makeFolder(folder, mode);
  return made;
}

/** Makes one folder; false when its name is taken. */
export async function makeFolder(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The root and the working directory always do, so that looking upwards ends. */
async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
