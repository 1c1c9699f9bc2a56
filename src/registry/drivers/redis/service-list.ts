// The list of one service as a follower keeps it: whole snapshots, and changes that fit the version it has.
import { RegistryError } from '../../../core/errors.ts';
import { parseInstance, recordLimits, type Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';

/** Versions rise within an epoch. Another epoch means that the server lost what it knew; '0' that it knows nothing. */
export interface Version {
  readonly epoch: string;
  readonly number: string;
}

/** What snapshot.lua answers. */
export interface SnapshotReply {
  readonly version: Version;
  /** Until the next lease ends; undefined when there is none. */
  readonly dueMs: number | undefined;
  /** The longest lease of the service; 0 when none is known. */
  readonly leaseMs: number;
  /** Absent when the caller has this version. */
  readonly list?: ListReply;
}

export interface ListReply {
  /** Id and record, alternating. */
  readonly records: readonly string[];
  /** Ids that deregistered themselves lately. */
  readonly left: readonly string[];
}

export const nothingKnown: Version = { epoch: '0', number: '0' };

/** Ids of the departed that are remembered between snapshots. */
const departedMax = 1000;
/** Longer messages are read as "something changed". */
const messageLengthMax = 65_536;

function formatVersion(version: Version): string {
  return `${version.epoch}-${version.number}`;
}

/** The version in the text of `formatVersion`; nothing known for any other text. */
export function parseVersion(text: string): Version {
  const match = /^(\d+)-(\d+)$/.exec(text);
  return match === null ? nothingKnown : { epoch: match[1] ?? '0', number: match[2] ?? '0' };
}

export function equalVersions(a: Version, b: Version): boolean {
  return a.epoch === b.epoch && a.number === b.number;
}

export function parseSnapshotReply(reply: unknown): SnapshotReply {
  const [epoch, number, due, lease, records, left] = Array.isArray(reply)
    ? (reply as readonly unknown[])
    : [];
  if (
    typeof epoch !== 'string' ||
    typeof number !== 'string' ||
    typeof due !== 'number' ||
    typeof lease !== 'number'
  ) {
    throw new RegistryError('registry_invalid', 'redis: the snapshot script answered nonsense');
  }
  return {
    version: { epoch, number },
    dueMs: due < 0 ? undefined : due,
    leaseMs: lease,
    ...(records !== undefined && { list: { records: texts(records), left: texts(left) } }),
  };
}

export function readingOf(service: string, version: Version, list: ListReply): Reading {
  const instances: Instance[] = [];
  let malformed = 0;
  for (let index = 0; index + 1 < list.records.length; index += 2) {
    const instance = readRecord(service, list.records[index], list.records[index + 1]);
    if (instance === undefined) malformed++;
    else instances.push(instance);
  }
  const departed = new Set(list.left);
  return {
    instances,
    version: formatVersion(version),
    malformed,
    ...(departed.size > 0 && { departed }),
  };
}

/** Why a message left the list as it is: it is old, or it does not fit and the list must be read. */
export type Applied = 'changed' | 'old' | 'gap';

export class ServiceList {
  readonly #service: string;
  readonly #instances = new Map<string, Instance>();
  #departed = new Set<string>();
  #malformed = 0;
  #version: Version = nothingKnown;

  constructor(service: string, from: Reading) {
    this.#service = service;
    this.#take(from, parseVersion(from.version));
  }

  get version(): Version {
    return this.#version;
  }

  /** Whether the list is ahead of `version`, which was read at about the same time. */
  isNewerThan(version: Version): boolean {
    return (
      this.#version.epoch === version.epoch && Number(this.#version.number) > Number(version.number)
    );
  }

  /** Takes a whole list. The reading says `reset` when it is of another epoch than the last. */
  replace(version: Version, list: ListReply): Reading {
    const reset = isReset(this.#version, version);
    const reading = readingOf(this.#service, version, list);
    this.#take(reading, version);
    return reset ? { ...reading, reset } : reading;
  }

  /** Applies a change that was announced, if it follows the version that the list has. */
  apply(message: string): Applied {
    const change = message.length > messageLengthMax ? undefined : parseChange(message);
    if (change === undefined || !this.#isOfSameEpoch(change)) return 'gap';
    const number = Number(change.number);
    if (number <= Number(this.#version.number)) return 'old';
    if (change.previous !== this.#version.number) return 'gap';
    if (!this.#applyRecords(change)) return 'gap';
    this.#version = { epoch: change.epoch, number: change.number };
    return 'changed';
  }

  reading(): Reading {
    return {
      instances: [...this.#instances.values()],
      version: formatVersion(this.#version),
      malformed: this.#malformed,
      ...(this.#departed.size > 0 && { departed: new Set(this.#departed) }),
    };
  }

  /** Also the first change of all to a service that the server knew nothing of: before it the list was empty, as it is here. */
  #isOfSameEpoch({ epoch, previous }: Change): boolean {
    if (epoch === this.#version.epoch) return true;
    return previous === nothingKnown.number && equalVersions(this.#version, nothingKnown);
  }

  /** False, without effect, when the change touches records that are no instances: their ids are not kept here. */
  #applyRecords(change: Change): boolean {
    const added: Instance[] = [];
    for (const [id, record] of Object.entries(change.set)) {
      const instance = readRecord(this.#service, id, record);
      if (instance === undefined) return false;
      added.push(instance);
    }
    if (change.removed.some((id) => !this.#instances.has(id))) return false;
    for (const instance of added) {
      this.#instances.set(instance.id, instance);
      this.#departed.delete(instance.id);
    }
    for (const id of change.removed) {
      this.#instances.delete(id);
      if (change.left) this.#depart(id);
    }
    return true;
  }

  #depart(id: string): void {
    this.#departed.add(id);
    for (const oldest of this.#departed) {
      if (this.#departed.size <= departedMax) return;
      this.#departed.delete(oldest);
    }
  }

  #take(reading: Reading, version: Version): void {
    this.#instances.clear();
    for (const instance of reading.instances) this.#instances.set(instance.id, instance);
    this.#departed = new Set(reading.departed);
    this.#malformed = reading.malformed;
    this.#version = version;
  }
}

/** Whether the server has lost what it knew at `before`. */
export function isReset(before: Version, after: Version): boolean {
  return before.epoch !== nothingKnown.epoch && before.epoch !== after.epoch;
}

interface Change {
  readonly epoch: string;
  readonly number: string;
  readonly previous: string;
  readonly set: Readonly<Record<string, unknown>>;
  readonly removed: readonly string[];
  readonly left: boolean;
}

/** Undefined for anything but a change with content. */
function parseChange(message: string): Change | undefined {
  const change = parseJson(message);
  if (typeof change !== 'object' || change === null) return undefined;
  const { e, v, pv, set, del, why } = change as Readonly<Record<string, unknown>>;
  if (typeof e !== 'string' || typeof v !== 'string' || typeof pv !== 'string') return undefined;
  const records = typeof set === 'object' && set !== null ? set : undefined;
  if (records === undefined && !Array.isArray(del)) return undefined;
  return {
    epoch: e,
    number: v,
    previous: pv,
    set: { ...records },
    removed: texts(del),
    left: why === 'left',
  };
}

function readRecord(service: string, id: unknown, record: unknown): Instance | undefined {
  if (typeof record !== 'string' || record.length > recordLimits.recordBytes) return undefined;
  const instance = parseInstance(service, parseJson(record));
  return instance?.id === id ? instance : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
