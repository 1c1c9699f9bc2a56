// The names of the keys in Redis.
import { slotOf } from './hash-slot.ts';

/**
 * Keys and channel of one service, in the order that the scripts expect. All share the hash tag `{service}`, so that they
 * are in one slot of a cluster; the grammar of service names has no braces.
 */
export function serviceKeys(prefix: string, service: string, database: number): readonly string[] {
  const base = `${prefix}:{${service}}`;
  return [`${base}:i`, `${base}:x`, `${base}:m`, `${base}:l`, channelOf(prefix, service, database)];
}

/** Channels, unlike keys, are shared by all databases of a server. */
export function channelOf(prefix: string, service: string, database: number): string {
  const channel = `${prefix}:{${service}}:c`;
  return database === 0 ? channel : `${channel}:${database}`;
}

/** A set of service names, and the hash tag in its key. */
export interface NamesKey {
  readonly key: string;
  readonly tag: string;
}

/** All names are in one set, or spread over `sets` of them so that no server of a cluster has all. */
export function namesKeys(prefix: string, sets: number): readonly NamesKey[] {
  return Array.from({ length: sets }, (_, index) => namesKeyAt(prefix, sets, index));
}

/** The set that the name of a service is in. */
export function namesKeyOf(prefix: string, sets: number, service: string): NamesKey {
  return namesKeyAt(prefix, sets, slotOf(service) % sets);
}

function namesKeyAt(prefix: string, sets: number, index: number): NamesKey {
  const key = `${prefix}:svc`;
  return sets === 1 ? { key, tag: '' } : { key: `${key}:{${index}}`, tag: String(index) };
}
