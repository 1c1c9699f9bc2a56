// Removing what nobody will: records of the long dead, marks of those that left, files that were never finished.
import { readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { putFile, readSmallFile, stampOf, statIfAny, touch } from './files.ts';
import type { Layout } from './layout.ts';
import { isRecordName } from './names.ts';
import { parseRecord, recordBytesMax } from './record.ts';
import type { ServerTime } from './server-time.ts';

interface CleanUpDeps {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly serverTime: ServerTime;
}

/** At most this often by all agents of a user together. */
const everyMs = 60_000;

/** A record is removed after this many lease times without a heartbeat; a malformed one after `unknownDeadForMs`. */
const deadForTtls = 10;
const unknownDeadForMs = 600_000;

/** Records with a younger heartbeat are not even read. */
const silentMsMin = 10_000;

/** Left marks, orphaned heartbeats and unfinished files older than this are of no use to anybody. */
const leftoverForMs = 600_000;

/**
 * Safe beside everything else: a live instance whose record is removed by a rare race puts it back with its next
 * heartbeat, and readers keep it meanwhile. What belongs to other users is left to their agents.
 */
export class CleanUp {
  readonly #deps: CleanUpDeps;
  #nextAtMs = -Infinity;

  constructor(deps: CleanUpDeps) {
    this.#deps = deps;
  }

  /** Cleans up when it is time and no other agent has just done it. */
  async runIfDue(signal: AbortSignal): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs < this.#nextAtMs) return;
    this.#nextAtMs = nowMs + everyMs;
    if (await this.#claim()) await this.run(signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { layout, serverTime } = this.#deps;
    const nowMs = await serverTime.nowMs();
    for (const service of await listIfAny(layout.services)) {
      if (signal.aborted) return;
      await this.#cleanService(service, nowMs);
    }
    await removeOld(layout.temporary, nowMs - leftoverForMs);
  }

  /** Two agents may both succeed in the same moment; that does no harm. */
  async #claim(): Promise<boolean> {
    const { layout, serverTime } = this.#deps;
    const last = await statIfAny(layout.cleaned);
    if (last === undefined) {
      await putFile(layout.cleaned, '.');
      return true;
    }
    const ageMs = (await serverTime.nowMs()) - last.mtimeMs;
    // A negative age: the clock was set back.
    if (ageMs >= 0 && ageMs < everyMs) return false;
    await touch(layout.cleaned);
    return true;
  }

  async #cleanService(service: string, nowMs: number): Promise<void> {
    const { layout } = this.#deps;
    const records = new Set((await listIfAny(layout.service(service))).filter(isRecordName));
    for (const name of records) await this.#cleanRecord(service, name, nowMs);
    const beforeMs = nowMs - leftoverForMs;
    await removeOld(layout.left(service), beforeMs);
    await removeOld(layout.heartbeats(service), beforeMs, records);
    await removeFolderIfEmpty(layout.left(service), beforeMs);
    await removeFolderIfEmpty(layout.heartbeats(service), beforeMs);
    await removeFolderIfEmpty(layout.service(service), beforeMs);
  }

  async #cleanRecord(service: string, name: string, nowMs: number): Promise<void> {
    const paths = this.#deps.layout.instance(service, name);
    const record = await statIfAny(paths.record);
    if (record === undefined) return;
    const beat = await statIfAny(paths.heartbeat);
    const silentMs = nowMs - Math.max(record.mtimeMs, beat?.mtimeMs ?? 0);
    if (silentMs < silentMsMin) return;
    if (silentMs < (await silenceAllowedMs(service, name, paths.record))) return;
    // Its owner may have come back since.
    const again = await statIfAny(paths.record);
    if (again === undefined || stampOf(again) !== stampOf(record)) return;
    await ignoringFailure(unlink(paths.record));
    await ignoringFailure(unlink(paths.heartbeat));
  }
}

async function silenceAllowedMs(service: string, name: string, path: string): Promise<number> {
  const { text } = await readSmallFile(path, recordBytesMax).catch(() => ({ text: undefined }));
  const record = text === undefined ? undefined : parseRecord(service, name, text);
  return record === undefined ? unknownDeadForMs : record.ttlMs * deadForTtls;
}

async function listIfAny(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

async function removeOld(
  folder: string,
  beforeMs: number,
  except: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const name of await listIfAny(folder)) {
    if (except.has(name)) continue;
    const path = join(folder, name);
    const found = await statIfAny(path);
    if (found !== undefined && found.mtimeMs < beforeMs) await ignoringFailure(unlink(path));
  }
}

/** An empty folder may be needed again at this moment; then whoever needs it makes it again. */
async function removeFolderIfEmpty(folder: string, beforeMs: number): Promise<void> {
  const found = await statIfAny(folder);
  if (found !== undefined && found.mtimeMs < beforeMs) await ignoringFailure(rmdir(folder));
}

/** Another agent was first, the file belongs to another user, or the folder is not empty. */
async function ignoringFailure(operation: Promise<void>): Promise<void> {
  await operation.catch(() => undefined);
}
