// The last known snapshots on disk, so that an agent restarted during a registry outage still knows whom to call.
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../core/clock.ts';
import { messageOf, systemCodeOf } from '../core/errors.ts';
import { formatInstance, parseInstance } from '../core/instance.ts';
import type { Logger } from '../core/logger.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { makeFolders } from '../registry/folders.ts';
import type { SnapshotStore, StoredSnapshot } from '../registry/snapshot-store.ts';

export interface SnapshotFilesOptions {
  /** Made on start, readable by its owner only. */
  readonly directory: string;
  /** Without passwords; snapshots of different registries are kept apart. */
  readonly registryUrl: string;
  /** Changes within this time are written once. */
  readonly writeDelayMs?: number;
  /** An unchanged list is written again after this time, so that its age on disk stays true. */
  readonly rewriteMs?: number;
}

/** One JSON file a service, replaced atomically. A disk that fails costs the snapshots, never the agent. */
export class SnapshotFiles implements SnapshotStore {
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #directory: string;
  readonly #writeDelayMs: number;
  readonly #rewriteMs: number;
  readonly #unwritten = new Map<string, Snapshot>();
  /** The last snapshot that was taken for writing, by service. */
  readonly #taken = new Map<string, Snapshot>();
  /** Agents in two containers that share the directory may have the same pid. */
  readonly #ownName = randomUUID();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(
    deps: { readonly clock: Clock; readonly logger: Logger },
    options: SnapshotFilesOptions,
  ) {
    this.#deps = deps;
    const registry = createHash('sha1').update(options.registryUrl).digest('hex').slice(0, 16);
    this.#directory = join(options.directory, `snapshots-${registry}`);
    this.#writeDelayMs = options.writeDelayMs ?? 500;
    this.#rewriteMs = options.rewriteMs ?? 30_000;
  }

  /** The stored list of a service, if there is a readable one. Reads synchronously, once a service. */
  load(service: string): StoredSnapshot | undefined {
    try {
      const stored: unknown = JSON.parse(readFileSync(this.#path(service), 'utf8'));
      return parseStored(service, stored);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') this.#warn(error);
      return undefined;
    }
  }

  /** Keeps a live snapshot; others add nothing to what is stored. Writes soon, in the background. */
  save(snapshot: Snapshot): void {
    if (snapshot.state !== 'live' || !this.#isWorthWriting(snapshot)) return;
    if (snapshot.instances.length > 0) this.#taken.set(snapshot.service, snapshot);
    // Clients can call any name, and a name without instances leaves nothing to remember.
    else this.#taken.delete(snapshot.service);
    this.#unwritten.set(snapshot.service, snapshot);
    this.#timer ??= this.#deps.clock.after(this.#writeDelayMs, () => void this.#flush());
  }

  #isWorthWriting(snapshot: Snapshot): boolean {
    const before = this.#taken.get(snapshot.service);
    if (before?.hash !== snapshot.hash) return true;
    return snapshot.confirmedAtMs - before.confirmedAtMs >= this.#rewriteMs;
  }

  /** Writes what is still unwritten. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#flush();
  }

  #flush(): Promise<void> {
    this.#timer = undefined;
    const snapshots = [...this.#unwritten.values()];
    this.#unwritten.clear();
    this.#writing = this.#writing.then(async () => {
      for (const snapshot of snapshots) await this.#write(snapshot);
    });
    return this.#writing;
  }

  async #write(snapshot: Snapshot): Promise<void> {
    const path = this.#path(snapshot.service);
    try {
      await makeFolders(this.#directory, 0o700);
      if (snapshot.instances.length === 0) {
        await rm(path, { force: true });
        return;
      }
      await this.#replace(path, this.#format(snapshot));
      this.#failed = false;
    } catch (error) {
      this.#warn(error);
    }
  }

  async #replace(path: string, text: string): Promise<void> {
    const partial = `${path}.${this.#ownName}.partial`;
    try {
      await writeFile(partial, text, { mode: 0o600 });
      await rename(partial, path);
    } catch (error) {
      // A full disk: what was written of it must not take what space is left.
      await rm(partial, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  #format(snapshot: Snapshot): string {
    const ageMs = this.#deps.clock.nowMs() - snapshot.confirmedAtMs;
    const savedAtWallMs = Math.round(this.#deps.clock.wallMs() - ageMs);
    const instances = snapshot.instances.map((instance) => formatInstance(instance)).join(',\n');
    return `{"savedAtWallMs":${savedAtWallMs},"instances":[\n${instances}\n]}\n`;
  }

  #path(service: string): string {
    return join(this.#directory, `${service}.json`);
  }

  /** Says so once for each time that the disk begins to fail. */
  #warn(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    const fields = { directory: this.#directory, cause: messageOf(error) };
    this.#deps.logger.warn(fields, 'snapshots on disk cannot be used');
  }
}

function parseStored(service: string, stored: unknown): StoredSnapshot | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { savedAtWallMs, instances } = stored as Record<string, unknown>;
  if (typeof savedAtWallMs !== 'number' || !Array.isArray(instances)) return undefined;
  const parsed = instances.map((record) => parseInstance(service, record));
  return { savedAtWallMs, instances: parsed.filter((instance) => instance !== undefined) };
}
