// How many client connections the agent takes, so that it never lacks file descriptors for itself.
import { readFileSync } from 'node:fs';

/**
 * For the registry, heartbeats, health checks, files and logs, and the clients of the admin API (32) and of DNS over TCP (16). A
 * process that does nothing yet has about 20 open.
 */
const reserved = 96;

/** Half of what is left of the process's limit: a request needs a connection to its instance as well. */
export function connectionsMax(): number {
  return connectionsMaxOf(readLimits());
}

/** `limits`: the text of /proc/self/limits (proc(5)); without one there is nothing to go by, and no maximum. */
export function connectionsMaxOf(limits: string): number {
  const openFiles = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return openFiles === undefined
    ? Infinity
    : Math.max(16, Math.floor((Number(openFiles) - reserved) / 2));
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
