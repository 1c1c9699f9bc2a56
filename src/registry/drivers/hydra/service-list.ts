// The list of one service as it is known here: who is present, by looks at Redis and by messages of other agents.
import { formatInstance, type Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import { parseChange } from './changes.ts';
import { hydraIdOf } from './keys.ts';
import { readNode } from './node-record.ts';

/** What Redis answered about the ids that it was asked for. */
export interface Findings {
  readonly present: ReadonlyMap<string, boolean>;
  /** Of those that were asked for; undefined for one that has no record. */
  readonly records: ReadonlyMap<string, string | undefined>;
}

/** `gap`: the list must be looked at. */
export type Heard = 'changed' | 'same' | 'gap';

interface Entry {
  /** Undefined for a record that is no instance. */
  readonly instance: Instance | undefined;
  /** The instance as text, to see whether it changed. */
  readonly text: string;
  readonly present: boolean;
  /** When it was found present last, on the clock. */
  readonly seenAtMs: number;
}

/** A process that stood still for longer than its lease is seen again at once if that was not longer ago. */
const rememberMs = 60_000;
/** Messages add no more than this many; looks find the rest. */
const entriesMax = 20_000;
/** Ids of the departed that are remembered. */
const departedMax = 1000;

/** By Hydra's ids. A message that comes while Redis is being asked is newer than the answer. */
export class ServiceList {
  readonly service: string;
  readonly #entries = new Map<string, Entry>();
  readonly #departed = new Set<string>();
  /** Ids that messages told of since the look began. */
  readonly #heard = new Set<string>();

  constructor(service: string, from: readonly Instance[], nowMs: number) {
    this.service = service;
    for (const instance of from) {
      this.#entries.set(hydraIdOf(service, instance.id), entryOf(instance, nowMs));
    }
  }

  /** Those to look at each time: present now or lately. */
  get ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  beginLook(): void {
    this.#heard.clear();
  }

  /** Whether the list has changed. */
  take({ present, records }: Findings, nowMs: number): boolean {
    let changed = false;
    for (const [hydraId, isPresent] of present) {
      if (this.#heard.has(hydraId)) continue;
      const found = isPresent ? this.#find(hydraId, records, nowMs) : this.#miss(hydraId, nowMs);
      changed = found || changed;
    }
    return changed;
  }

  hear(message: string, nowMs: number): Heard {
    const change = parseChange(this.service, message);
    if (change === undefined) return 'gap';
    const { hydraId } = change;
    const before = this.#entries.get(hydraId);
    if (change.kind === 'left') {
      this.#heard.add(hydraId);
      this.#entries.delete(hydraId);
      if (before?.present !== true) return 'same';
      if (before.instance !== undefined) this.#depart(before.instance.id);
      return 'changed';
    }
    if (before === undefined && this.#entries.size >= entriesMax) return 'gap';
    this.#heard.add(hydraId);
    return this.#put(hydraId, entryOf(change.instance, nowMs)) ? 'changed' : 'same';
  }

  reading(version: string): Reading {
    const present = [...this.#entries.values()].filter((entry) => entry.present);
    const instances = present.flatMap(({ instance }) => instance ?? []);
    return {
      instances,
      version,
      malformed: present.length - instances.length,
      ...(this.#departed.size > 0 && { departed: new Set(this.#departed) }),
    };
  }

  #find(hydraId: string, records: Findings['records'], nowMs: number): boolean {
    const before = this.#entries.get(hydraId);
    const text = records.get(hydraId);
    if (text !== undefined) {
      const instance = readNode(this.service, hydraId, text);
      return this.#put(hydraId, entryOf(instance, nowMs));
    }
    // Hydra's tools may have removed the record of a living instance, which puts it back with its next heartbeat.
    return (
      before !== undefined && this.#put(hydraId, { ...before, present: true, seenAtMs: nowMs })
    );
  }

  #miss(hydraId: string, nowMs: number): boolean {
    const before = this.#entries.get(hydraId);
    if (before === undefined) return false;
    if (nowMs - before.seenAtMs > rememberMs) this.#entries.delete(hydraId);
    else if (before.present) this.#entries.set(hydraId, { ...before, present: false });
    return before.present;
  }

  #put(hydraId: string, entry: Entry): boolean {
    const before = this.#entries.get(hydraId);
    this.#entries.set(hydraId, entry);
    if (entry.instance !== undefined) this.#departed.delete(entry.instance.id);
    return before?.present !== entry.present || before.text !== entry.text;
  }

  #depart(id: string): void {
    this.#departed.add(id);
    for (const oldest of this.#departed) {
      if (this.#departed.size <= departedMax) return;
      this.#departed.delete(oldest);
    }
  }
}

function entryOf(instance: Instance | undefined, nowMs: number): Entry {
  const text = instance === undefined ? '' : formatInstance(instance);
  return { instance, text, present: true, seenAtMs: nowMs };
}
