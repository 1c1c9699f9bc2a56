// What a `file:` URL says: which directory, for whom, and how often it is looked at.
import { accessSync, constants } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError } from '../../../core/errors.ts';
import { requireSecondTry } from '../../lease-times.ts';
import { parseParameters, parseUrl } from '../../url.ts';

export interface FileSettings {
  /** For people. */
  readonly url: string;
  /** Absolute path of the registry. */
  readonly directory: string;
  /** The directories that must be the user's own, outermost first; the last one is `directory`. */
  readonly guarded: readonly string[];
  /** Agents of several users write to the directory. */
  readonly shared: boolean;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** Undefined: 2 s while changes are pushed, else 500 ms. */
  readonly pollMs?: number;
}

const known = { ttl: 'duration', heartbeat: 'duration', poll: 'duration', shared: 'flag' } as const;

const defaultTtlMs = 6000;
const pollMsMin = 20;

/** `file:` is the user's default directory, `file:///dir` another one. Throws a ConfigError. */
export function parseFileUrl(text: string): FileSettings {
  const url = parseUrl(text);
  const { ttl, heartbeat, poll, shared = false } = parseParameters(url, known);
  const guarded = /^file:(?:[?#]|$)/i.test(text) ? defaultDirectories() : [directoryOf(url, text)];
  if (shared && guarded.length > 1) {
    throw new ConfigError(
      `registry ${text}: shared=1 needs a directory of its own, such as file:///run/outrigger?shared=1`,
    );
  }
  for (const [name, value] of Object.entries({ ttl, heartbeat, poll })) {
    if (value === 0) throw new ConfigError(`registry ${text}: parameter "${name}" must not be 0`);
  }
  const directory = guarded.at(-1) ?? '';
  const ttlMs = ttl ?? (heartbeat === undefined ? defaultTtlMs : heartbeat * 3);
  const heartbeatMs = heartbeat ?? ttlMs / 3;
  requireSecondTry({ ttlMs, heartbeatMs }, `registry ${text}`);
  return {
    url: pathToFileURL(directory).href,
    directory,
    guarded,
    shared,
    ttlMs,
    heartbeatMs,
    ...(poll !== undefined && { pollMs: Math.max(poll, pollMsMin) }),
  };
}

function directoryOf(url: URL, text: string): string {
  if (url.host !== '') {
    throw new ConfigError(
      `registry ${text}: "${url.host}" is read as a host; a directory has three slashes: file:///${url.host}${url.pathname}`,
    );
  }
  const directory = fileURLToPath(new URL(url.pathname, 'file:///')).replace(/\/+$/, '');
  if (directory === '') {
    throw new ConfigError(`registry ${text}: names no directory; the default one is file:`);
  }
  return directory;
}

/** The same for all processes of one user on a host: agents find each other there without being told. */
function defaultDirectories(): readonly string[] {
  const user = process.getuid?.() ?? userInfo().username;
  const runtime = `/run/user/${user}`;
  const directory = join(isWritable(runtime) ? runtime : tmpdir(), `outrigger-${user}`, 'v1');
  return [dirname(directory), directory];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
