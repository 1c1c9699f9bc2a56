// All instances of a Eureka server as the whole list and the changes since tell them, and each service's reading of it.
import { createHash } from 'node:crypto';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import { statusHash, type EurekaList } from './answers.ts';
import { OverdueLeases } from './overdue.ts';
import type { EurekaRecord } from './record.ts';

/** Instances that took their leave are remembered so that their loss is believed at once; no more than so many. */
const departedMax = 1000;

/**
 * Readings have the instances with the status UP only. A version is that of the list's content behind the epoch, which
 * rises when the server lost records.
 */
export class Fleet {
  readonly #records = new Map<string, EurekaRecord>();
  /** By service, then by key. */
  readonly #services = new Map<string, Map<string, EurekaRecord>>();
  readonly #counts = new Map<string, number>();
  /** Removed records whose instances took their leave, the oldest first. */
  readonly #departed = new Map<string, EurekaRecord>();
  readonly #overdue = new OverdueLeases();
  /** Of services that did not change since they were asked for. */
  readonly #readings = new Map<string, Reading>();
  #epoch = 0;

  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Takes the whole list. `changesKnown`: all changes until shortly before it have been applied, so what it lacks was not
   * removed but lost by the server.
   */
  replace({ records }: EurekaList, changesKnown: boolean): void {
    const listed = new Map(records.map((record) => [keyOf(record), record]));
    const missing = [...this.#records].filter(([key]) => !listed.has(key));
    if (changesKnown && missing.some(([, { status }]) => status === 'UP')) this.#epoch++;
    for (const [key] of missing) this.#remove(key);
    for (const [key, record] of listed) this.#put(key, record);
    this.#overdue.retain((key) => listed.has(key));
    this.#overdue.judge(listed);
    this.#readings.clear();
  }

  /** Applies changes, which servers repeat for minutes. False when the result is not what the server has. */
  apply({ records, hash }: EurekaList): boolean {
    for (const record of records) this.#change(keyOf(record), record);
    return statusHash(this.#counts) === hash;
  }

  /**
   * Takes the lease times of an answer that is about whole applications. False when it has something newer than what is
   * known here.
   */
  judge({ records }: EurekaList): boolean {
    const known = records.filter((record) => this.#records.has(keyOf(record)));
    const judged = new Map(known.map((record) => [keyOf(record), record]));
    for (const key of this.#overdue.judge(judged)) this.#touch(this.#records.get(key));
    return records.every((record) => {
      const { updatedMs = -Infinity } = this.#records.get(keyOf(record)) ?? {};
      return updatedMs >= record.updatedMs;
    });
  }

  reading(service: string): Reading {
    const known = this.#readings.get(service);
    if (known !== undefined) return known;
    const reading = this.#read(service);
    // A service that nobody has may be any name: nothing is kept of it.
    if (this.#services.has(service)) this.#readings.set(service, reading);
    return reading;
  }

  /** The applications that have instances of a service. */
  applicationsOf(service: string): readonly string[] {
    const records = this.#services.get(service)?.values() ?? [];
    return [...new Set([...records].map(({ app }) => app))];
  }

  /** The services with instances that are UP. */
  names(): readonly string[] {
    return [...this.#services]
      .filter(([, records]) => [...records.values()].some(({ status }) => status === 'UP'))
      .map(([service]) => service);
  }

  #read(service: string): Reading {
    const records = [...(this.#services.get(service) ?? [])];
    const up = records.filter(([, { status }]) => status === 'UP');
    const timely = up.filter(([key]) => !this.#overdue.has(key));
    // When most of a service is overdue, it is rather the way from them to the registry that is broken.
    const believed = timely.length * 2 >= up.length ? timely : up;
    const instances: Instance[] = [];
    let malformed = 0;
    for (const [, { instance }] of believed) {
      if (instance === undefined) malformed++;
      else instances.push(instance.service === service ? instance : { ...instance, service });
    }
    const departed = this.#departedFrom(service, records);
    return {
      instances,
      version: `${this.#epoch}-${hashOf(instances, malformed)}`,
      malformed,
      ...(departed.size > 0 && { departed }),
    };
  }

  #departedFrom(
    service: string,
    records: readonly (readonly [string, EurekaRecord])[],
  ): ReadonlySet<string> {
    const departed = new Set<string>();
    for (const [, { status, instance }] of records) {
      if (status !== 'UP' && instance !== undefined) departed.add(instance.id);
    }
    for (const { services, instance } of this.#departed.values()) {
      if (instance !== undefined && services.includes(service)) departed.add(instance.id);
    }
    return departed;
  }

  #change(key: string, record: EurekaRecord): void {
    const known = this.#records.get(key);
    if (known !== undefined && isRepeated(record, known)) return;
    this.#overdue.forget(key);
    if (!record.deleted) {
      this.#put(key, record);
      return;
    }
    this.#remove(key);
    if (known !== undefined && hasDeparted(record)) this.#depart(key, record);
  }

  #put(key: string, record: EurekaRecord): void {
    this.#remove(key);
    this.#departed.delete(key);
    this.#records.set(key, record);
    this.#count(record.status, 1);
    for (const service of record.services) {
      const records = this.#services.get(service) ?? new Map<string, EurekaRecord>();
      this.#services.set(service, records.set(key, record));
    }
    this.#touch(record);
  }

  #remove(key: string): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    this.#records.delete(key);
    this.#count(record.status, -1);
    for (const service of record.services) {
      const records = this.#services.get(service);
      records?.delete(key);
      if (records?.size === 0) this.#services.delete(service);
    }
    this.#touch(record);
  }

  #depart(key: string, record: EurekaRecord): void {
    this.#departed.set(key, record);
    const [oldest] = this.#departed.keys();
    if (oldest !== undefined && this.#departed.size > departedMax) this.#departed.delete(oldest);
  }

  #count(status: string, difference: number): void {
    const count = (this.#counts.get(status) ?? 0) + difference;
    if (count > 0) this.#counts.set(status, count);
    else this.#counts.delete(status);
  }

  #touch(record: EurekaRecord | undefined): void {
    for (const service of record?.services ?? []) this.#readings.delete(service);
  }
}

function keyOf({ app, id }: EurekaRecord): string {
  return `${app}/${id}`;
}

/** Whether the change is already in what is known, or older than that. */
function isRepeated(change: EurekaRecord, known: EurekaRecord): boolean {
  if (change.updatedMs !== known.updatedMs) return change.updatedMs < known.updatedMs;
  return !change.deleted && change.status === known.status;
}

/** A removal of an instance that was no longer UP, or whose lease had not ended, was asked for and is no eviction. */
function hasDeparted({ status, lease }: EurekaRecord): boolean {
  if (status !== 'UP') return true;
  return lease !== undefined && lease.removedMs > 0 && lease.removedMs <= lease.endMs;
}

/** Independent of the order. */
function hashOf(instances: readonly Instance[], malformed: number): string {
  const hash = createHash('sha1').update(String(malformed));
  for (const text of instances.map(formatInstance).sort()) hash.update('\n').update(text);
  return hash.digest('base64url');
}
