// What the file system's errors mean for the registry.
import {
  messageOf,
  RegistryError,
  systemCodeOf,
  type RegistryErrorCode,
} from '../../../core/errors.ts';

const meanings: Readonly<Record<string, readonly [RegistryErrorCode, string]>> = {
  EACCES: ['registry_auth', 'permission denied'],
  EPERM: ['registry_auth', 'permission denied'],
  ENOSPC: ['registry_unavailable', 'the disk is full'],
  EDQUOT: ['registry_unavailable', 'the disk quota is used up'],
  EROFS: ['registry_unavailable', 'the file system is read-only'],
  EMFILE: ['registry_unavailable', 'too many open files'],
  ENFILE: ['registry_unavailable', 'too many open files'],
  EIO: ['registry_unavailable', 'the disk fails'],
  ENOTDIR: ['registry_invalid', 'a part of the path is no directory'],
  ELOOP: ['registry_invalid', 'the path has a loop of links'],
};

/** `doing` says what failed: `write the record of payments`. */
export function registryErrorOf(error: unknown, doing: string, directory: string): RegistryError {
  if (error instanceof RegistryError) return error;
  const systemCode = systemCodeOf(error) ?? '';
  const [code, meaning] = meanings[systemCode] ?? [
    'registry_unreachable',
    textOf(error, directory),
  ];
  return new RegistryError(code, `cannot ${doing} in ${directory}: ${meaning}`, { cause: error });
}

/** The default directory goes with its user's last session, and only the system can make it again. */
function textOf(error: unknown, directory: string): string {
  const text = messageOf(error);
  if (!isMissing(error) || !directory.startsWith('/run/user/')) return text;
  return `${text}; it goes with the user's last session: use "loginctl enable-linger", or another directory`;
}

export function isMissing(error: unknown): boolean {
  return systemCodeOf(error) === 'ENOENT';
}

/** Whether only this file or folder cannot be read: it is another user's, or not of the kind that it should be. */
export function isUnreadable(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes(systemCodeOf(error) ?? '');
}

/** The value of `operation`, or undefined when its file does not exist. */
export async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Waits for `operation`, but no longer than the signal allows: a hung network file system never answers. An operation
 * that is given up ends later by itself, and its outcome is ignored.
 */
export async function withinSignal<T>(signal: AbortSignal, operation: Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(
        new RegistryError('registry_timeout', 'given up before the file system answered', {
          cause: signal.reason,
        }),
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([operation, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
