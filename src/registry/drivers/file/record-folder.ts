// Reading a service's records: only what has changed since the last look.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { isMissing, isUnreadable, unlessMissing } from './failure.ts';
import { forEachFew, readSmallFile, stampOf, statIfAny, type SmallFile } from './files.ts';
import { isRecordName } from './names.ts';
import { parseRecord, recordBytesMax, type FileRecord } from './record.ts';

/** What became of one file. */
export type Finding =
  | { readonly found: 'record'; readonly record: FileRecord }
  /** There is a file, but it is no record: foreign, damaged, or not written to its end. */
  | { readonly found: 'malformed' }
  | { readonly found: 'nothing' };

/** By file name; files that are as they were have none. */
export type Findings = ReadonlyMap<string, Finding>;

/** Longer than the steps in which file systems count mtimes, so that two changes in one step are not taken for one. */
const mtimeStepMs = 100;

/** All files are compared at least this often, whatever the folder's mtime says. */
const fullScanEveryMs = 30_000;

export class RecordFolder {
  readonly #clock: Clock;
  readonly #service: string;
  readonly #path: string;
  /** Of each known file, as it was last read; malformed ones are read again each time. */
  readonly #stamps = new Map<string, string>();
  #folderStamp = '';
  #folderStampSeenAtMs = 0;
  #scannedAtMs = -Infinity;

  constructor(clock: Clock, service: string, path: string) {
    this.#clock = clock;
    this.#service = service;
    this.#path = path;
  }

  /** Looks at these files only. */
  async lookAt(names: Iterable<string>): Promise<Findings> {
    const findings = new Map<string, Finding>();
    await forEachFew(names, async (name) => {
      const finding = await this.#lookAtOne(name);
      if (finding !== undefined) findings.set(name, finding);
    });
    return findings;
  }

  /** Looks at the whole folder; costs one call while its mtime and its files stay the same. */
  async lookAtAll(): Promise<Findings> {
    const nowMs = this.#clock.nowMs();
    const folder = await unlessMissing(stat(this.#path));
    const folderStamp = folder === undefined ? 'none' : `${folder.ino} ${folder.mtimeMs}`;
    if (folderStamp !== this.#folderStamp) {
      this.#folderStamp = folderStamp;
      this.#folderStampSeenAtMs = nowMs;
      this.#scannedAtMs = -Infinity;
    }
    const isSettled =
      this.#scannedAtMs - this.#folderStampSeenAtMs >= mtimeStepMs &&
      nowMs - this.#scannedAtMs < fullScanEveryMs;
    if (isSettled) return this.lookAt(this.#malformed());
    const listed = (await unlessMissing(readdir(this.#path))) ?? [];
    const findings = await this.lookAt(new Set([...listed, ...this.#stamps.keys()]));
    this.#scannedAtMs = nowMs;
    return findings;
  }

  /** The next look at all finds these names and all known ones anew. */
  forget(names: Iterable<string>): void {
    for (const name of [...this.#stamps.keys(), ...names]) this.#stamps.set(name, '');
    this.#folderStamp = '';
  }

  async #lookAtOne(name: string): Promise<Finding | undefined> {
    if (!isRecordName(name)) return undefined;
    const path = join(this.#path, name);
    const known = this.#stamps.get(name);
    const found = await statIfAny(path);
    if (found !== undefined && stampOf(found) === known) return undefined;
    const read = found?.isFile() === true ? await readRecord(path) : notReadable;
    if (found === undefined || read === undefined) {
      return this.#stamps.delete(name) ? { found: 'nothing' } : undefined;
    }
    const record =
      read.text === undefined ? undefined : parseRecord(this.#service, name, read.text);
    this.#stamps.set(name, record === undefined ? malformed : read.stamp);
    if (record !== undefined) return { found: 'record', record };
    return known === malformed ? undefined : { found: 'malformed' };
  }

  *#malformed(): Iterable<string> {
    for (const [name, stamp] of [...this.#stamps]) if (stamp === malformed) yield name;
  }
}

/** Stands for the stamp of a file that is read again each time. */
const malformed = 'malformed';

const notReadable = { stamp: malformed, text: undefined };

/** Undefined when the file has just gone. One that we may not read is malformed: it must not hide all others. */
async function readRecord(path: string): Promise<SmallFile | undefined> {
  try {
    return await readSmallFile(path, recordBytesMax);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (isUnreadable(error)) return notReadable;
    throw error;
  }
}
