// An instance as Eureka's JSON describes it: what we write, and what we read of anybody's.
import { formatAddress } from '../../../core/address.ts';
import {
  formatInstance,
  parseInstance,
  recordLimits,
  type Instance,
} from '../../../core/instance.ts';

/** What is kept of an entry of Eureka's lists. */
export interface EurekaRecord {
  /** As Eureka spells it, usually in upper case. */
  readonly app: string;
  /** Eureka's id of the instance, which is not always ours. */
  readonly id: string;
  /** Only `UP` may be called. */
  readonly status: string;
  /** What a list of changes says about it. */
  readonly deleted: boolean;
  /** Of the latest change, by the server's clock. */
  readonly updatedMs: number;
  readonly lease?: LeaseTimes;
  /** The names under which the instance is found, in lower case. */
  readonly services: readonly string[];
  /** Its service is the first of the names. Undefined when the entry is no instance. */
  readonly instance: Instance | undefined;
}

/** By the server's clock, in ms. They are as old as the answer, which a server may have kept for minutes. */
export interface LeaseTimes {
  /** The latest renewal, or a time before it. */
  readonly renewedMs: number;
  readonly endMs: number;
  /** When the record was removed; 0 if it was not. */
  readonly removedMs: number;
}

export interface RecordOptions {
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** Wall-clock ms, greater than that of any earlier record with the same id. */
  readonly writtenAtMs: number;
}

/** The key of our own metadata, which has the whole instance. */
const ownKey = 'outrigger';
/** Escaped to ASCII, a record of the allowed size grows at most so much. */
const ownLengthMax = 3 * recordLimits.recordBytes;

/** Eureka's name of a service's application: servers refuse others than in upper case. */
export function appOf(service: string): string {
  return service.toUpperCase();
}

/** Eureka's id of an instance: the same, unless servers or proxies may not take it in a path. */
export function eurekaIdOf(instanceId: string): string {
  const plain = /^[A-Za-z0-9_][A-Za-z0-9._:-]*$/.test(instanceId);
  return plain ? instanceId : `~${Buffer.from(instanceId).toString('base64url')}`;
}

/** The body of a registration. */
export function formatRecord(instance: Instance, options: RecordOptions): string {
  const { host, port, service, meta } = instance;
  const secure = meta['protocol'] === 'https';
  const root = `${secure ? 'https' : 'http'}://${formatAddress({ host, port })}/`;
  return JSON.stringify({
    instance: {
      instanceId: eurekaIdOf(instance.id),
      app: appOf(service),
      hostName: host,
      ipAddr: host,
      vipAddress: service,
      secureVipAddress: service,
      status: 'UP',
      port: { $: port, '@enabled': String(!secure) },
      securePort: { $: secure ? port : 443, '@enabled': String(secure) },
      homePageUrl: meta['homePageUrl'] ?? root,
      statusPageUrl: meta['statusPageUrl'] ?? root,
      healthCheckUrl: meta['healthCheckUrl'] ?? root,
      dataCenterInfo: {
        '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
        name: 'MyOwn',
      },
      leaseInfo: {
        renewalIntervalInSecs: Math.max(1, Math.round(options.heartbeatMs / 1000)),
        // Servers end a lease only when twice its duration has passed since the latest renewal.
        durationInSecs: Math.max(1, Math.ceil(options.ttlMs / 2000)),
      },
      metadata: formatMetadata(instance),
      lastDirtyTimestamp: String(options.writtenAtMs),
    },
  });
}

function formatMetadata(instance: Instance): Readonly<Record<string, string>> {
  const { meta, tags, weight, version, zone } = instance;
  const pairs = Object.entries({
    ...meta,
    ...(tags.length > 0 && { tags: tags.join(',') }),
    ...(weight !== 1 && { weight: String(weight) }),
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
  });
  const whole = formatInstance(instance).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return { ...Object.fromEntries(pairs.filter(isXml)), [ownKey]: whole };
}

/** Eureka's other format is XML with the keys as element names: one that is none would break every list for its readers. */
function isXml([key, value]: readonly [string, string]): boolean {
  return (
    /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(key) &&
    /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u.test(value)
  );
}

type Json = Readonly<Record<string, unknown>>;

/** Undefined for what has no application, no id or no name. With `vip`, services are named by `vipAddress`. */
export function parseRecord(
  value: unknown,
  appName: string | undefined,
  vip: boolean,
): EurekaRecord | undefined {
  const entry = asObject(value);
  const app = textOf(entry['app']) ?? appName;
  const id = textOf(entry['instanceId']) ?? textOf(entry['hostName']);
  if (app === undefined || id === undefined) return undefined;
  const named = vip ? (textOf(entry['vipAddress'])?.split(',') ?? []) : [app];
  const services = named.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  const [service] = services;
  if (service === undefined) return undefined;
  const lease = parseLease(asObject(entry['leaseInfo']));
  return {
    app,
    id,
    status: textOf(entry['status'])?.toUpperCase() ?? 'UNKNOWN',
    deleted: entry['actionType'] === 'DELETED',
    updatedMs: numberOf(entry['lastUpdatedTimestamp']) ?? 0,
    ...(lease !== undefined && { lease }),
    services,
    instance: readInstance(service, id, entry),
  };
}

function readInstance(service: string, id: string, entry: Json): Instance | undefined {
  const metadata = asObject(entry['metadata']);
  const own = readOwn(service, metadata[ownKey]);
  return own !== undefined && eurekaIdOf(own.id) === id ? own : readForeign(service, id, entry);
}

function readOwn(service: string, text: unknown): Instance | undefined {
  if (typeof text !== 'string' || text.length > ownLengthMax) return undefined;
  try {
    return parseInstance(service, JSON.parse(text));
  } catch {
    return undefined;
  }
}

function readForeign(service: string, id: string, entry: Json): Instance | undefined {
  const texts = Object.entries(asObject(entry['metadata']))
    .map(([key, value]) => [key, textOf(value)] as const)
    .filter((pair): pair is [string, string] => !pair[0].startsWith('@') && pair[1] !== undefined);
  const length = texts.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (length > recordLimits.recordBytes) return undefined;
  const { tags, weight, version, zone, ...meta } = Object.fromEntries(texts);
  const securePort = portOf(entry['securePort']);
  const record = {
    id,
    port: securePort ?? portOf(entry['port']),
    weight: numberOf(weight),
    tags: tags
      ?.split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
    meta: { ...(securePort !== undefined && { protocol: 'https' }), ...meta },
    version,
    zone,
  };
  return (
    parseInstance(service, { ...record, host: entry['hostName'] }) ??
    parseInstance(service, { ...record, host: entry['ipAddr'] })
  );
}

/** `{"$":8080,"@enabled":"true"}`, where both may be texts or not; undefined when it is not enabled. */
function portOf(value: unknown): number | undefined {
  const port = asObject(value);
  return String(port['@enabled']) === 'true' ? numberOf(port['$']) : undefined;
}

function parseLease(lease: Json): LeaseTimes | undefined {
  const latestMs = numberOf(lease['lastRenewalTimestamp']);
  const durationSecs = numberOf(lease['durationInSecs']);
  if (latestMs === undefined || durationSecs === undefined) return undefined;
  const durationMs = durationSecs * 1000;
  return {
    // Servers add the duration to the time of a renewal, though not to that of the registration.
    renewedMs: latestMs - durationMs,
    endMs: latestMs + durationMs,
    removedMs: numberOf(lease['evictionTimestamp']) ?? 0,
  };
}

export function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

/** Texts that are not empty; numbers and truth values, which some servers write without quotes, as texts. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
