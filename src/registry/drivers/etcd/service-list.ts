// One service as etcd has it: its records by key, and the readings that are made of them.
import type { Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import { idOfKey } from './keys.ts';
import type { KeyRange, RangeAnswer, WatchEvent } from './messages.ts';
import { parseRecord, type EtcdRecord } from './record.ts';

/** What was read can be followed: it has the records by key that it was made of. */
export interface EtcdReading extends Reading {
  /** etcd's revision that it shows. */
  readonly revision: number;
  readonly records: ReadonlyMap<string, EtcdRecord>;
}

export function isEtcdReading(reading: Reading): reading is EtcdReading {
  return 'revision' in reading && 'records' in reading;
}

/** Ids of those that left are told in readings for a while; the oldest are forgotten. */
const departedMax = 1000;

export class ServiceList {
  readonly #service: string;
  readonly #range: KeyRange;
  readonly #records: Map<string, EtcdRecord>;
  #departed: ReadonlySet<string>;
  #revision: number;

  /** Continues from a reading, or begins with nothing. */
  constructor(service: string, range: KeyRange, from?: EtcdReading) {
    this.#service = service;
    this.#range = range;
    this.#records = new Map(from?.records);
    this.#departed = from?.departed ?? new Set();
    this.#revision = from?.revision ?? 0;
  }

  /** The reading that can be followed. */
  static read(service: string, range: KeyRange, answer: RangeAnswer): EtcdReading {
    const list = new ServiceList(service, range);
    for (const { key, value } of answer.pairs) list.#put(key, value);
    list.#revision = answer.revision;
    return { ...list.reading(), revision: answer.revision, records: list.#records };
  }

  /** True when an instance is gone that did not say that it leaves. */
  apply(events: readonly WatchEvent[], revision: number): boolean {
    let ended = false;
    this.#revision = Math.max(this.#revision, revision);
    for (const { kind, key, value } of events) {
      if (kind === 'put') {
        this.#put(key, value);
      } else {
        ended ||= this.#records.get(key)?.kind === 'instance';
        this.#records.delete(key);
      }
    }
    return ended;
  }

  reading(): Reading {
    const instances: Instance[] = [];
    let malformed = 0;
    for (const record of this.#records.values()) {
      if (record.kind === 'instance') instances.push(record.instance);
      if (record.kind === 'malformed') malformed++;
    }
    // The count tells readings from before and after a loss of data apart, when revisions begin anew.
    const version = `${this.#revision}.${this.#records.size}`;
    return { instances, version, malformed, departed: this.#departed };
  }

  #put(key: string, value: Buffer): void {
    const id = idOfKey(this.#range, key);
    const record = parseRecord(this.#service, id, value);
    this.#records.set(key, record);
    const left = record.kind === 'left';
    if (this.#departed.has(id) === left) return;
    const departed = new Set(this.#departed);
    if (left) departed.add(id);
    else departed.delete(id);
    const [oldest] = departed;
    if (departed.size > departedMax && oldest !== undefined) departed.delete(oldest);
    this.#departed = departed;
  }
}
