// What Consul's health API answered for a service, as a Reading; its version is Consul's index and the hash of the list.
import { createHash } from 'node:crypto';
import { RegistryError } from '../../../core/errors.ts';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import type { Indexed } from './agent.ts';
import { instanceFrom } from './record.ts';

export interface Version {
  /** Where a query waits from. */
  readonly index: number;
  /** Only another hash means another list: an index also moves with the health of others. */
  readonly hash: string;
}

export function parseVersion(version: string): Version {
  const [index = '', hash = ''] = version.split(' ');
  return { index: Number(index), hash };
}

/** Throws a RegistryError for an answer that is no list. */
export function readingFrom(service: string, { body, index }: Indexed): Reading {
  if (!Array.isArray(body)) {
    throw new RegistryError('registry_invalid', 'consul: an answer that is no list of instances');
  }
  const all = body.map((entry: unknown) => instanceFrom(service, entry));
  const instances = all.filter((instance) => instance !== undefined);
  const malformed = all.length - instances.length;
  return { instances, malformed, version: `${index} ${hashOf(instances, malformed)}` };
}

/** The order of entries says nothing. */
function hashOf(instances: readonly Instance[], malformed: number): string {
  const hash = createHash('sha256').update(String(malformed));
  for (const text of instances.map(formatInstance).sort()) hash.update(text);
  return hash.digest('base64url').slice(0, 22);
}
