// An Instance: one registered process of a service, as every registry describes it.

export interface Instance {
  /** Service name, lower case. */
  readonly service: string;
  /** Unique among all processes, ever: a restarted process is a new instance. */
  readonly id: string;
  /** Host name or IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Share of the load relative to the other instances; 0 gets none. */
  readonly weight: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly zone?: string;
  /** Wall-clock ms of the process's start; of two records of one address, the later is the true one. */
  readonly startedAtMs?: number;
}

/** Limits on a record, so that no registry can grow the memory of its readers without bound. */
export const recordLimits = {
  recordBytes: 16_384,
  idLength: 255,
  tags: 64,
  metaPairs: 64,
  /** Of an own record's bytes, as JSON; the rest has room for its other fields and for those that drivers add. */
  tagsAndMetaBytes: 12_288,
} as const;

/** The largest weight; more is read as this. */
const weightMax = 1000;

/**
 * Reads a foreign record of `service` leniently: unknown fields are ignored, missing ones get their default.
 * Returns undefined when it cannot be an instance (no id, no host, no valid port, over the limits).
 */
export function parseInstance(service: string, record: unknown): Instance | undefined {
  if (typeof record !== 'object' || record === null) return undefined;
  const { id, host, port, weight, tags, meta, version, zone, startedAtMs } = record as Record<
    string,
    unknown
  >;
  if (typeof id !== 'string' || id === '' || id.length > recordLimits.idLength) return undefined;
  if (typeof host !== 'string' || !isHost(host) || !isPort(port)) return undefined;
  return {
    service,
    id,
    host,
    port,
    weight: typeof weight === 'number' && weight >= 0 ? Math.min(weight, weightMax) : 1,
    tags: readTags(tags),
    meta: readMeta(meta),
    ...(typeof version === 'string' && { version }),
    ...(typeof zone === 'string' && { zone }),
    ...(typeof startedAtMs === 'number' && { startedAtMs }),
  };
}

/** The record as JSON with a fixed order of keys, so that equal instances are equal texts. */
export function formatInstance(instance: Instance): string {
  const { id, host, port, weight, tags, meta, version, zone, startedAtMs } = instance;
  const sortedMeta = Object.fromEntries(Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify({
    id,
    host,
    port,
    weight,
    tags: [...tags],
    meta: sortedMeta,
    version,
    zone,
    startedAtMs,
  });
}

/** Whether the text may be a host name or an IP address without brackets. */
export function isHost(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9._:%-]+$/.test(text);
}

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function readTags(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((tag) => typeof tag === 'string').slice(0, recordLimits.tags);
}

function readMeta(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  const pairs = Object.entries(value).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  return Object.fromEntries(pairs.slice(0, recordLimits.metaPairs));
}
