// Names in Redis: the keys and channels that Hydra 1.9 uses, and the one channel that is our own.
import { createHash } from 'node:crypto';

const prefix = 'hydra:service';

/** A hash: Hydra's instance id → node record. One for all services; Hydra never removes from it. */
export const nodesKey = `${prefix}:nodes`;

/** Exists while the instance lives. Hydra takes the service and the instance id from the name of this key. */
export function presenceKey(service: string, hydraId: string): string {
  return `${prefix}:${service}:${hydraId}:presence`;
}

export function healthKey(service: string, hydraId: string): string {
  return `${prefix}:${service}:${hydraId}:health`;
}

/** A text that says that there is such a service; shared by its instances and never removed. */
export function serviceKey(service: string): string {
  return `${prefix}:${service}:service`;
}

/** A set of patterns such as `[get]/v1/things/:id`; shared by the instances of the service and never removed. */
export function routesKey(service: string): string {
  return `${prefix}:${service}:service:routes`;
}

/** Where hydra-router, the API gateway of Hydra fleets, hears messages. */
export const routerChannel = `${prefix}:mc:hydra-router`;

/** Where agents tell each other what they changed. Channels are shared by all databases of a server. */
export function changesChannel(service: string, database: number): string {
  return `${prefix}:outrigger:${database}:${service}`;
}

/**
 * Hydra's own ids are UUIDs without dashes. In keys and addresses an id must have neither `:` nor `-` nor `@`, so any other id
 * is replaced by a hash of it in the same form.
 */
export function hydraIdOf(service: string, id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  return createHash('sha256').update(`${service}\0${id}`).digest('hex').slice(0, 32);
}
