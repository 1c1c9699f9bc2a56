// A file description of our own for an output that we share with the app.
import { constants, fstatSync, openSync } from 'node:fs';

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;

/**
 * Opens the pipe or terminal behind a descriptor once more, so that writing to it never waits for a reader. Whether a write waits
 * is a flag of the description (fcntl(2), F_SETFL), which all processes that have inherited it share: a change of it there would be
 * one for the app. The caller closes it.
 *
 * Undefined for a file, which has no reader and keeps the place of the next write in the description; and where it cannot be
 * opened: a socket, or a system without /proc.
 */
export function openOwnDescription(fd: number): number | undefined {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}
