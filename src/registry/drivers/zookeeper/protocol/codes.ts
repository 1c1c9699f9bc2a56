// ZooKeeper's numbers: operations, events and errors, and what an error means for the registry.
import { RegistryError, type RegistryErrorCode } from '../../../../core/errors.ts';

export const operations = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  ping: 11,
  getChildren2: 12,
  /** A node that the server removes when its last child has gone; since 3.5. */
  createContainer: 19,
  auth: 100,
  closeSession: -11,
} as const;

/** Ids of messages that are no answer to a numbered request. */
export const xids = { event: -1, ping: -2, auth: -4 } as const;

export const createFlags = { persistent: 0, ephemeral: 1, ephemeralSequential: 3, container: 4 };

export const eventTypes = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const;

export const replyCodes = {
  ok: 0,
  unimplemented: -6,
  noNode: -101,
  nodeExists: -110,
} as const;

const failures: ReadonlyMap<number, readonly [RegistryErrorCode, string]> = new Map([
  [-4, ['registry_unreachable', 'connection lost']],
  [-7, ['registry_unavailable', 'operation timed out in the server']],
  [-102, ['registry_auth', 'no permission']],
  [-111, ['registry_invalid', 'the node has children']],
  [-112, ['registry_unreachable', 'session expired']],
  [-114, ['registry_auth', 'invalid ACL']],
  [-115, ['registry_auth', 'authentication failed']],
  [-118, ['registry_unreachable', 'session moved']],
  [-119, ['registry_unavailable', 'the server is read-only']],
  [-124, ['registry_auth', 'the session needs SASL authentication']],
  [-125, ['registry_unavailable', 'quota exceeded']],
  [-127, ['registry_unavailable', 'throttled']],
] as const);

/** What the server's answer `code` means, when the operation did not foresee it. */
export function failureOf(code: number, what: string): RegistryError {
  const [kind, text] = failures.get(code) ?? ['registry_invalid', 'unexpected answer'];
  return new RegistryError(kind, `zookeeper: ${what}: ${text} (${code})`);
}
