// Eureka's lists of instances as they come: JSON with the quirks of something that was XML.
import { RegistryError } from '../../../core/errors.ts';
import { asObject, parseRecord, textOf, type EurekaRecord } from './record.ts';

export interface EurekaList {
  readonly records: readonly EurekaRecord[];
  /** What `statusHash` gives for all instances of the server; empty where the list has none. */
  readonly hash: string;
}

/**
 * Reads the list of all applications, of changes or of one application; a lone element may stand for its array. Throws
 * `registry_invalid` for anything that is no list, so that it is never taken for an empty one.
 */
export function parseList(text: string, vip: boolean): EurekaList {
  const root = asObject(parseJson(text));
  const all = root['applications'] ?? (root['application'] === undefined ? undefined : root);
  if (typeof all !== 'object') throw senseless(text);
  const list = asObject(all);
  const records = arrayOf(list['application']).flatMap((value) => {
    const application = asObject(value);
    const name = textOf(application['name']);
    return arrayOf(application['instance'])
      .map((entry) => parseRecord(entry, name, vip))
      .filter((record) => record !== undefined);
  });
  return { records, hash: textOf(list['apps__hashcode']) ?? '' };
}

/** Eureka's check of a list: each status with its number of instances, in alphabetical order, such as `DOWN_1_UP_12_`. */
export function statusHash(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, count]) => `${status}_${count}_`)
    .join('');
}

function arrayOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === 'object' && value !== null ? [value] : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RegistryError('registry_invalid', `eureka: no JSON: ${begin(text)}`, {
      cause: error,
    });
  }
}

function senseless(text: string): RegistryError {
  return new RegistryError('registry_invalid', `eureka: no list of applications: ${begin(text)}`);
}

function begin(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
