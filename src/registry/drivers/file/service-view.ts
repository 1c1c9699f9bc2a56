// One service as a reader knows it: which records there are, and which of them are alive.
import { readdir } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import { unlessMissing } from './failure.ts';
import { forEachFew, statIfAny } from './files.ts';
import type { Layout } from './layout.ts';
import { isFresh, looked, missed, type Freshness } from './liveness.ts';
import { findEnded, keyOf, type ProcessIdentity } from './processes.ts';
import { RecordFolder, type Findings } from './record-folder.ts';
import type { FileRecord } from './record.ts';
import type { RegistryAge } from './registry-age.ts';
import type { ServerTime } from './server-time.ts';

export interface ServiceViewDeps {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly serverTime: ServerTime;
  readonly age: RegistryAge;
  readonly ownProcess: () => Promise<ProcessIdentity | undefined>;
  readonly uniqueName: () => string;
}

interface Entry {
  readonly record: FileRecord;
  /**
   * - `kept`: its files are there.
   * - `missing`: somebody removed them, but the instance never left. It counts as alive until its owner has had one
   *   lease time to put them back, so that a directory that is emptied takes nobody out of service.
   * - `ended`: its process has ended; its files say nothing any more.
   */
  readonly presence: 'kept' | 'missing' | 'ended';
  /** Undefined: its heartbeat was never seen. */
  readonly freshness: Freshness | undefined;
}

/** What to look at. Heartbeats that may be too old always are. */
export interface Look {
  /** Names of files that may have changed. */
  readonly files: ReadonlySet<string> | 'all';
  readonly processes: boolean;
}

/** How long an id is told as departed; longer than any reader needs to hear of it. */
const departedForMs = 60_000;

export class ServiceView {
  readonly service: string;
  readonly #deps: ServiceViewDeps;
  readonly #folder: RecordFolder;
  readonly #versionPrefix: string;
  /** By file name. */
  readonly #entries = new Map<string, Entry>();
  readonly #malformed = new Set<string>();
  /** Ids that are certainly gone, each until it is forgotten. */
  readonly #departed = new Map<string, number>();
  #reading: Reading;
  #lookedAtMs = -Infinity;
  #changes = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: ServiceViewDeps, service: string) {
    this.service = service;
    this.#deps = deps;
    this.#folder = new RecordFolder(deps.clock, service, deps.layout.service(service));
    this.#versionPrefix = deps.uniqueName();
    this.#reading = { instances: [], version: `${this.#versionPrefix}.0`, malformed: 0 };
  }

  /** One look after the other. The reading is the last one itself while nothing changes. */
  refresh(look: Look): Promise<Reading> {
    const refreshed = this.#last.then(
      () => this.#refresh(look),
      () => this.#refresh(look),
    );
    this.#last = refreshed;
    return refreshed;
  }

  /** When, by the monotonic clock, something may be otherwise than the last reading says; Infinity when nothing can. */
  nextDoubtMs(): number {
    let nextMs = this.#reading.reset === true ? this.#deps.age.youngUntilMs() : Infinity;
    for (const entry of this.#entries.values()) {
      if (!isAlive(entry, this.#lookedAtMs)) continue;
      nextMs = Math.min(nextMs, entry.freshness?.freshUntilMs ?? Infinity);
    }
    return nextMs;
  }

  async #refresh(look: Look): Promise<Reading> {
    try {
      return await this.#lookAt(look, this.#deps.clock.nowMs());
    } catch (error) {
      // What was found before the failure is not known any more, so the next look must find it again.
      this.#folder.forget([...this.#entries.keys(), ...this.#malformed]);
      throw error;
    }
  }

  /** All steps count on one time, so that no instance is taken for dead that was not looked at. */
  async #lookAt({ files, processes }: Look, nowMs: number): Promise<Reading> {
    if (files === 'all') await this.#deps.age.look();
    const findings =
      files === 'all' ? await this.#folder.lookAtAll() : await this.#folder.lookAt(files);
    await this.#take(findings, nowMs);
    await this.#lookAtHeartbeats(findings, nowMs);
    if (processes) await this.#lookAtProcesses(nowMs);
    this.#lookedAtMs = nowMs;
    return this.#conclude(nowMs);
  }

  async #take(findings: Findings, nowMs: number): Promise<void> {
    const gone = new Set<string>();
    for (const [name, finding] of findings) {
      if (finding.found === 'malformed') {
        this.#malformed.add(name);
        continue;
      }
      this.#malformed.delete(name);
      if (finding.found === 'nothing') gone.add(name);
      else this.#put(name, finding.record);
    }
    // Those that are missing may have left since.
    for (const [name, { presence }] of this.#entries) if (presence === 'missing') gone.add(name);
    if (gone.size === 0) return;
    const left = new Set(await unlessMissing(readdir(this.#deps.layout.left(this.service))));
    for (const name of gone) this.#remove(name, left.has(name), nowMs);
  }

  #put(name: string, record: FileRecord): void {
    const previous = this.#entries.get(name);
    const isSame =
      previous !== undefined &&
      formatInstance(previous.record.instance) === formatInstance(record.instance);
    const instance = isSame ? previous.record.instance : record.instance;
    this.#departed.delete(instance.id);
    this.#entries.set(name, {
      record: { ...record, instance },
      presence: 'kept',
      freshness: previous?.freshness,
    });
  }

  #remove(name: string, hasLeft: boolean, nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    if (hasLeft) this.#noteDeparture(entry, nowMs);
    if (hasLeft || !this.#isListed(entry)) this.#entries.delete(name);
    else this.#entries.set(name, miss(entry, nowMs));
  }

  /** Looks at the beats that may be too old, and at those of records that were written anew. */
  async #lookAtHeartbeats(findings: Findings, nowMs: number): Promise<void> {
    const { clock, layout, serverTime } = this.#deps;
    const doubtful = [...this.#entries].filter(
      ([name, { presence, freshness }]) =>
        presence === 'kept' &&
        (findings.has(name) || freshness === undefined || !isFresh(freshness, nowMs)),
    );
    if (doubtful.length === 0) return;
    const serverNowMs = await serverTime.nowMs();
    await forEachFew(doubtful, async ([name, entry]) => {
      const beat = await statIfAny(layout.instance(this.service, name).heartbeat);
      if (beat !== undefined) {
        const { ttlMs } = entry.record;
        const look = { mtimeMs: beat.mtimeMs, serverNowMs, nowMs: clock.nowMs(), ttlMs };
        this.#entries.set(name, { ...entry, freshness: looked(entry.freshness, look) });
      } else if (this.#isListed(entry)) {
        this.#entries.set(name, miss(entry, nowMs));
      }
    });
  }

  async #lookAtProcesses(nowMs: number): Promise<void> {
    const identities = [...this.#entries.values()].flatMap(({ record, presence }) =>
      presence === 'ended' ? [] : (record.process ?? []),
    );
    const ended = await findEnded(await this.#deps.ownProcess(), identities);
    for (const [name, entry] of this.#entries) {
      const { process } = entry.record;
      if (process === undefined || !ended.has(keyOf(process))) continue;
      if (this.#isListed(entry)) this.#noteDeparture(entry, nowMs);
      if (entry.presence === 'missing') this.#entries.delete(name);
      else this.#entries.set(name, { ...entry, presence: 'ended' });
    }
  }

  #conclude(nowMs: number): Reading {
    for (const [id, untilMs] of this.#departed) if (untilMs <= nowMs) this.#departed.delete(id);
    const instances: Instance[] = [];
    for (const [name, entry] of this.#entries) {
      if (isAlive(entry, nowMs)) instances.push(entry.record.instance);
      else if (entry.presence === 'missing') this.#entries.delete(name);
    }
    const malformed = this.#malformed.size;
    const reset = this.#deps.age.isYoung();
    const last = this.#reading;
    const isSame =
      areSame(instances, last.instances) &&
      malformed === last.malformed &&
      reset === (last.reset ?? false);
    if (isSame) return last;
    const version = `${this.#versionPrefix}.${++this.#changes}`;
    const departed = new Set(this.#departed.keys());
    this.#reading = { instances, version, malformed, departed, reset };
    return this.#reading;
  }

  /** Whether the instance counted as alive at the last look. */
  #isListed(entry: Entry): boolean {
    return this.#reading.instances.includes(entry.record.instance);
  }

  #noteDeparture(entry: Entry, nowMs: number): void {
    this.#departed.set(entry.record.instance.id, nowMs + departedForMs);
  }
}

function isAlive({ presence, freshness }: Entry, nowMs: number): boolean {
  return presence !== 'ended' && freshness !== undefined && isFresh(freshness, nowMs);
}

function miss(entry: Entry, nowMs: number): Entry {
  const { record, presence, freshness } = entry;
  if (presence !== 'kept' || freshness === undefined) return entry;
  return { record, presence: 'missing', freshness: missed(freshness, nowMs, record.ttlMs) };
}

function areSame(a: readonly Instance[], b: readonly Instance[]): boolean {
  return a.length === b.length && a.every((instance, index) => instance === b[index]);
}
