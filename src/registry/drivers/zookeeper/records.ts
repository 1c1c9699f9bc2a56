// The contents of an instance's node: the format's own fields, and one field with the whole instance as we know it.
import { parseInstance, recordLimits, type Instance } from '../../../core/instance.ts';
import { fieldsOf, type Decoded, type Format } from './formats/format.ts';

/** Our record, the format's fields beside it, and what escaping adds. */
const recordBytesMax = 4 * recordLimits.recordBytes;

/** The field that other readers ignore. */
const ownField = 'outrigger';

/** `leaving`: the last thing written before the node is deleted, by which followers know that it was no crash. */
export function encodeRecord(format: Format, instance: Instance, leaving: boolean): Buffer {
  const { id, host, port, weight, tags, meta, version, zone, startedAtMs } = instance;
  const own = { id, host, port, weight, tags, meta, version, zone, startedAtMs };
  return Buffer.from(
    JSON.stringify({
      ...format.encode(instance, leaving),
      [ownField]: { ...own, ...(leaving && { leaving }) },
    }),
  );
}

/** Undefined for anything that is no instance. */
export function decodeRecord(
  format: Format,
  service: string,
  node: string,
  data: Buffer,
): Decoded | undefined {
  if (data.length > recordBytesMax) return undefined;
  const record = fieldsOf(parseJson(data.toString()));
  const own = fieldsOf(record[ownField]);
  const instance = parseInstance(service, own);
  if (instance !== undefined) return { instance, serving: own['leaving'] !== true };
  return format.decode(service, node, record);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
