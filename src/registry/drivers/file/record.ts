// The text of a record: the instance, its lease time and the process that keeps it.
import {
  formatInstance,
  parseInstance,
  recordLimits,
  type Instance,
} from '../../../core/instance.ts';
import { fileNameOf } from './names.ts';
import type { ProcessIdentity } from './processes.ts';

export interface FileRecord {
  readonly instance: Instance;
  readonly ttlMs: number;
  /** Undefined when the writer could not tell. */
  readonly process?: ProcessIdentity;
}

/** No record is longer; more is not read. */
export const recordBytesMax = recordLimits.recordBytes;

/** A lease time from a foreign record is cut to this, so that no record lives for ever. */
const ttlMsMax = 600_000;

export function formatRecord({ instance, ttlMs, process }: FileRecord): string {
  const fields = JSON.parse(formatInstance(instance)) as Record<string, unknown>;
  return JSON.stringify({
    ...fields,
    ttlMs,
    pid: process?.pid,
    pidStart: process?.startTicks,
    bootId: process?.bootId,
    pidNamespace: process?.namespaces,
  });
}

/** Undefined when the text is no record of the service, or is not the one that its file name promises. */
export function parseRecord(
  service: string,
  fileName: string,
  text: string,
): FileRecord | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  const instance = parseInstance(service, fields);
  if (instance === undefined || fileNameOf(instance.id) !== fileName) return undefined;
  const { ttlMs, pid, pidStart, bootId, pidNamespace } = fields as Record<string, unknown>;
  if (typeof ttlMs !== 'number' || !(ttlMs > 0)) return undefined;
  const record = { instance, ttlMs: Math.min(ttlMs, ttlMsMax) };
  const isKnown =
    isPid(pid) &&
    typeof pidStart === 'number' &&
    typeof bootId === 'string' &&
    typeof pidNamespace === 'string';
  if (!isKnown) return record;
  return { ...record, process: { pid, startTicks: pidStart, bootId, namespaces: pidNamespace } };
}

function isPid(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
