// One EndpointSlice as the API server describes it, reduced to what is needed of it.
import { parseInstance, recordLimits, type Instance } from '../../../core/instance.ts';
import { fieldsOf, listOf, textOf, type Fields } from './fields.ts';

/** Where our own slices keep the whole record of their instance, as JSON. */
export const instanceAnnotation = 'outrigger/instance';
export const serviceLabel = 'kubernetes.io/service-name';

export interface Slice {
  readonly name: string;
  readonly resourceVersion: string;
  /** Of our own making: its instance lives as long as the lease of the same name. */
  readonly leased: boolean;
  /** IPv4 before IPv6 before host names, for a pod that has several. */
  readonly family: number;
  readonly endpoints: readonly Endpoint[];
  /** Entries that are no instances. */
  readonly malformed: number;
}

export interface Endpoint {
  readonly instance: Instance;
  /**
   * `ready`: takes calls. `unready`: it may come back. `leaving`: its pod has been told to end, and takes no new calls even
   * if it still could.
   */
  readonly state: 'ready' | 'unready' | 'leaving';
}

export interface SliceContext {
  /** Our name of the service, which instances carry. */
  readonly service: string;
  /** Name of the port to call; undefined: the first one. */
  readonly port: string | undefined;
}

const families = ['IPv4', 'IPv6', 'FQDN'];

/** Undefined for what has no name and is no slice therefore. */
export function parseSlice(object: unknown, context: SliceContext): Slice | undefined {
  const slice = fieldsOf(object);
  const metadata = fieldsOf(slice['metadata']);
  const name = textOf(metadata['name']);
  if (name === undefined) return undefined;
  const family = families.indexOf(textOf(slice['addressType']) ?? 'FQDN');
  const resourceVersion = textOf(metadata['resourceVersion']) ?? '';
  const record = fieldsOf(metadata['annotations'])[instanceAnnotation];
  const leased = typeof record === 'string';
  const parsed = leased ? parseRecord(record, context) : parseEndpoints(slice, context);
  const endpoints = parsed.filter((endpoint) => endpoint !== undefined);
  const malformed = parsed.length - endpoints.length;
  return { name, resourceVersion, leased, family, endpoints, malformed };
}

type Parsed = readonly (Endpoint | undefined)[];

function parseRecord(text: string, { service }: SliceContext): Parsed {
  const instance = text.length > recordLimits.recordBytes ? undefined : parseJson(service, text);
  return [instance && { instance, state: 'ready' }];
}

function parseJson(service: string, text: string): Instance | undefined {
  try {
    return parseInstance(service, JSON.parse(text));
  } catch {
    return undefined;
  }
}

function parseEndpoints(slice: Fields, context: SliceContext): Parsed {
  const port = portOf(listOf(slice['ports']).map(fieldsOf), context.port);
  return listOf(slice['endpoints']).map((endpoint) =>
    parseEndpoint(fieldsOf(endpoint), port, context.service),
  );
}

/** A port without a name has the empty name. Only TCP is called; that is also what a missing protocol means. */
function portOf(ports: readonly Fields[], name: string | undefined): Fields | undefined {
  return ports.find(
    (port) =>
      (port['protocol'] ?? 'TCP') === 'TCP' && (name === undefined || port['name'] === name),
  );
}

function parseEndpoint(
  endpoint: Fields,
  port: Fields | undefined,
  service: string,
): Endpoint | undefined {
  // All addresses of an endpoint are the same; consumers use the first.
  const [host] = listOf(endpoint['addresses']);
  const zone = textOf(endpoint['zone']);
  const node = textOf(endpoint['nodeName']);
  const instance = parseInstance(service, {
    id: idOf(fieldsOf(endpoint['targetRef'])) ?? `${String(host)}:${String(port?.['port'])}`,
    host,
    port: port?.['port'],
    zone,
    meta: { ...(node !== undefined && { node }), ...protocolOf(port) },
  });
  return instance && { instance, state: stateOf(fieldsOf(endpoint['conditions'])) };
}

/** A pod's name, and the beginning of its uid: a pod of a StatefulSet has the name of the one that it replaces. */
function idOf(targetRef: Fields): string | undefined {
  const name = textOf(targetRef['name']);
  const uid = textOf(targetRef['uid']);
  return name === undefined || uid === undefined ? undefined : `${name}-${uid.slice(0, 8)}`;
}

function protocolOf(port: Fields | undefined): { readonly protocol?: string } {
  const protocol = textOf(port?.['appProtocol'])?.replace(/^kubernetes\.io\//, '');
  return protocol === undefined ? {} : { protocol };
}

/** A condition that is not given is to be read as good. */
function stateOf(conditions: Fields): Endpoint['state'] {
  if (conditions['terminating'] === true) return 'leaving';
  return conditions['ready'] === false ? 'unready' : 'ready';
}
