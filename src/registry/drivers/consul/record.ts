// An instance as a service of a Consul agent, and an entry of Consul's health API as an instance.
import {
  formatInstance,
  parseInstance,
  recordLimits,
  type Instance,
} from '../../../core/instance.ts';
import type { ConsulLocation } from './location.ts';

/** Meta keys with our whole record, in pieces: the first, then `outrigger-2`, `outrigger-3`, … */
const recordKey = 'outrigger';
/** Consul refuses services with more or longer meta pairs. */
const metaLimits = { pairs: 64, keyLength: 128, valueBytes: 512 } as const;
/** So many pieces hold the longest record that is read, whatever its characters. */
const piecesMax = Math.ceil(recordLimits.recordBytes / (metaLimits.valueBytes - 3));
const weightMax = 65_535;

/**
 * The service id of an instance. Ids of lower-case letters, digits and `.`, `_`, `:`, `-` stay as they are. Every other byte
 * becomes `~` and two hex digits: Consul's catalog ignores case, and its HTTP server cleans paths with `..` in them.
 */
export function serviceIdOf(instanceId: string): string {
  const text = instanceId.replace(/[^a-z0-9._:-]/gsu, (character) =>
    [...Buffer.from(character)].map((byte) => `~${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return text.startsWith('.') ? `~2e${text.slice(1)}` : text;
}

/** Never left to Consul: the ids that it makes change with the number of checks. */
export function checkIdOf(instanceId: string): string {
  return `service:${serviceIdOf(instanceId)}:ttl`;
}

/** The body of a registration (agent API, "Register Service"). */
export function registrationOf(
  instance: Instance,
  ttlMs: number,
  options: Pick<
    ConsulLocation,
    'tag' | 'check' | 'checkPath' | 'checkIntervalMs' | 'deregisterAfterMs'
  >,
): object {
  const { service, id, host, port, tags, weight } = instance;
  const { tag, check, deregisterAfterMs } = options;
  const passing = Math.min(weightMax, Math.max(1, Math.round(weight)));
  // An instance is registered when it is well, and Consul takes a new one for critical unless told.
  const common = {
    Status: 'passing',
    DeregisterCriticalServiceAfter: goDuration(deregisterAfterMs),
  };
  const ttl = { ...common, CheckID: checkIdOf(id), Name: 'lease', TTL: goDuration(ttlMs) };
  const http = {
    ...common,
    CheckID: `service:${serviceIdOf(id)}:http`,
    Name: 'HTTP',
    HTTP: `http://${host.includes(':') ? `[${host}]` : host}:${port}${options.checkPath}`,
    Interval: goDuration(options.checkIntervalMs),
    Timeout: goDuration(Math.min(5000, options.checkIntervalMs)),
  };
  return {
    ID: serviceIdOf(id),
    Name: service,
    Address: host,
    Port: port,
    Tags: tag === undefined || tags.includes(tag) ? tags : [...tags, tag],
    Meta: metaOf(instance),
    Weights: { Passing: passing, Warning: 1 },
    EnableTagOverride: false,
    Checks: [...(check === 'http' ? [] : [ttl]), ...(check === 'ttl' ? [] : [http])],
  };
}

/**
 * The instance that an entry of `/v1/health/service` tells of, or undefined if it is none. Our own record in it is believed
 * while it agrees with Consul's fields; whatever else wrote the service, Consul's fields are read.
 */
export function instanceFrom(service: string, entry: unknown): Instance | undefined {
  const { Node: node, Service: found } = fieldsOf(entry);
  const { ID, Address, Port, Tags, Meta, Weights } = fieldsOf(found);
  const { Node: nodeName, Address: nodeAddress } = fieldsOf(node);
  const host = Address === '' || Address === undefined ? nodeAddress : Address;
  const meta = fieldsOf(Meta);
  const own = parseInstance(service, parseRecord(meta));
  if (own !== undefined && serviceIdOf(own.id) === ID && own.host === host && own.port === Port) {
    return own;
  }
  return parseInstance(service, {
    // Consul's ids are unique for an agent only, and often the service's name.
    id: typeof ID === 'string' && typeof nodeName === 'string' ? `${ID}@${nodeName}` : undefined,
    host,
    port: Port,
    weight: fieldsOf(Weights)['Passing'],
    tags: Tags,
    meta,
    version: meta['version'],
    zone: meta['zone'],
  });
}

/** What others read, as far as Consul takes it, and our whole record. */
function metaOf(instance: Instance): Readonly<Record<string, string>> {
  const { meta, version, zone } = instance;
  const pieces = piecesOf(formatInstance(instance));
  const foreign = {
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
    ...meta,
  };
  const readable = Object.entries(foreign).filter(([key, value]) => isAllowed(key, value));
  const own = pieces.map((piece, index) => [pieceKey(index), piece] as const);
  const room = Math.max(0, metaLimits.pairs - own.length);
  return Object.fromEntries([...readable.slice(0, room), ...own]);
}

function isAllowed(key: string, value: string): boolean {
  return (
    /^[A-Za-z0-9_-]+$/.test(key) &&
    key.length <= metaLimits.keyLength &&
    !/^(?:consul-|outrigger(?:-\d+)?$)/.test(key) &&
    Buffer.byteLength(value) <= metaLimits.valueBytes
  );
}

function pieceKey(index: number): string {
  return index === 0 ? recordKey : `${recordKey}-${index + 1}`;
}

/** Never cut inside a character. */
function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const character of text) {
    const more = Buffer.byteLength(character);
    if (bytes + more > metaLimits.valueBytes) {
      pieces.push(piece);
      piece = '';
      bytes = 0;
    }
    piece += character;
    bytes += more;
  }
  return [...pieces, piece];
}

function parseRecord(meta: Readonly<Record<string, unknown>>): unknown {
  let text = '';
  for (let index = 0; index < piecesMax; index++) {
    const piece = meta[pieceKey(index)];
    if (typeof piece !== 'string') break;
    text += piece;
  }
  if (text === '' || Buffer.byteLength(text) > recordLimits.recordBytes) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function goDuration(durationMs: number): string {
  return `${Math.round(durationMs)}ms`;
}
