// The values of etcd's keys: our records, and those that other programs write.
import { formatAddress, parseAddress } from '../../../core/address.ts';
import {
  formatInstance,
  parseInstance,
  recordLimits,
  type Instance,
} from '../../../core/instance.ts';

/** `left`: the instance says that it is about to remove itself. */
export type EtcdRecord =
  | { readonly kind: 'instance'; readonly instance: Instance }
  | { readonly kind: 'left'; readonly id: string }
  | { readonly kind: 'malformed' };

/** The limit is that of the instance; a record has its address once more. */
const recordBytesMax = recordLimits.recordBytes + 512;

/** `Addr` is where the clients of etcd's own gRPC naming look for the address. */
export function formatRecord(instance: Instance): string {
  return JSON.stringify({ ...fieldsOf(instance), Addr: formatAddress(instance) });
}

/**
 * What a leaving instance's record becomes before it is removed: a removal alone would look the same as the end of a lease.
 * It stays readable, and gets no load from those who do not know the mark.
 */
export function formatLeft(instance: Instance): string {
  const fields = { ...fieldsOf(instance), weight: 0, Addr: formatAddress(instance) };
  return JSON.stringify({ ...fields, left: true });
}

/** The key decides on the id. Foreign values may be JSON with `Addr` or `host` and `port`, or just `HOST:PORT`. */
export function parseRecord(service: string, id: string, value: Buffer): EtcdRecord {
  if (value.length > recordBytesMax) return { kind: 'malformed' };
  const fields = parseFields(value.toString());
  if (fields?.['left'] === true) return { kind: 'left', id };
  const instance = fields && parseInstance(service, { ...addressOf(fields), ...fields, id });
  return instance === undefined ? { kind: 'malformed' } : { kind: 'instance', instance };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(instance: Instance): Fields {
  return JSON.parse(formatInstance(instance)) as Fields;
}

function parseFields(text: string): Fields | undefined {
  const address = parseAddress(text, '');
  if (address !== undefined && address.host !== '') return { ...address };
  try {
    const fields: unknown = JSON.parse(text);
    return typeof fields === 'object' && fields !== null ? (fields as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function addressOf({ Addr: text }: Fields): Fields {
  return typeof text === 'string' ? { ...parseAddress(text, '') } : {};
}
