// The names of the keys in Redis.

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

/** The set of all service names. */
export function namesKey(prefix: string): string {
  return `${prefix}:svc`;
}
