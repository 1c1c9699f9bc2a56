// Writing: how an instance's files come, stay fresh and go.
import { lstat, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import type { Instance } from '../../../core/instance.ts';
import { isMissing, unlessMissing } from './failure.ts';
import { putFile, stampOf, statIfAny, touch } from './files.ts';
import { withFolders, type Layout } from './layout.ts';
import { fileNameOf } from './names.ts';
import type { ProcessIdentity } from './processes.ts';
import { formatRecord } from './record.ts';

interface LeaseFilesDeps {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly uniqueName: () => string;
  readonly ownProcess: () => Promise<ProcessIdentity | undefined>;
}

/** A record that this process has written. */
interface Held {
  readonly stamp: string;
  readonly ttlMs: number;
  readonly beatAtMs: number;
}

export class LeaseFiles {
  readonly #deps: LeaseFilesDeps;
  /** By path of the record. */
  readonly #held = new Map<string, Held>();

  constructor(deps: LeaseFilesDeps) {
    this.#deps = deps;
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const { layout, clock } = this.#deps;
    const paths = layout.instance(instance.service, fileNameOf(instance.id));
    const process = await this.#deps.ownProcess();
    const text = formatRecord({ instance, ttlMs, ...(process !== undefined && { process }) });
    await layout.prepare();
    await this.#inFolders(instance.service, async () => {
      signal.throwIfAborted();
      const beatAtMs = clock.nowMs();
      // The heartbeat is first: a reader that sees the record finds it alive.
      await putFile(paths.heartbeat, '.');
      await unlessMissing(unlink(paths.left));
      const temporary = join(layout.temporary, this.#deps.uniqueName());
      const stamp = await this.#write(temporary, text);
      signal.throwIfAborted();
      await rename(temporary, paths.record);
      this.#held.set(paths.record, { stamp, ttlMs, beatAtMs });
    });
  }

  /**
   * `gone` also when the record is not the one that was written, and when the last beat is older than the lease time:
   * readers have dropped the instance then, and only a new record tells them at once that it is back.
   */
  async renew(instance: Instance, ttlMs: number): Promise<'ok' | 'gone'> {
    const paths = this.#deps.layout.instance(instance.service, fileNameOf(instance.id));
    const held = this.#held.get(paths.record);
    const beatAtMs = this.#deps.clock.nowMs();
    if (held?.ttlMs !== ttlMs || beatAtMs - held.beatAtMs >= ttlMs) return 'gone';
    const found = await statIfAny(paths.record);
    if (found === undefined || stampOf(found) !== held.stamp) return 'gone';
    try {
      await touch(paths.heartbeat);
    } catch (error) {
      if (isMissing(error)) return 'gone';
      throw error;
    }
    this.#held.set(paths.record, { ...held, beatAtMs });
    return 'ok';
  }

  async release(instance: Instance): Promise<void> {
    const paths = this.#deps.layout.instance(instance.service, fileNameOf(instance.id));
    // Without the mark readers keep the instance for a while; that must not keep the record from going.
    if (this.#held.delete(paths.record)) {
      const mark = (): Promise<void> => putFile(paths.left, '');
      await this.#inFolders(instance.service, mark).catch(() => undefined);
    } else {
      await putFile(paths.left, '').catch(() => undefined);
    }
    await unlessMissing(unlink(paths.record));
    await unlessMissing(unlink(paths.heartbeat));
  }

  #inFolders<T>(service: string, operation: () => Promise<T>): Promise<T> {
    const { layout } = this.#deps;
    const make = async (): Promise<void> => {
      await layout.ensure();
      await layout.ensureService(service);
    };
    return withFolders(make, operation);
  }

  /** Returns the file's stamp, which a rename keeps. */
  async #write(temporary: string, text: string): Promise<string> {
    try {
      await writeFile(temporary, text, { flag: 'wx', mode: 0o644 });
      return stampOf(await lstat(temporary));
    } catch (error) {
      // A full disk: the part that was written must not take what space is left.
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  }
}
