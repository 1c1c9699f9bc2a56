// Hints that files of a service may have changed: pushed by the system, and never trusted to be complete.
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { unlessMissing } from './failure.ts';
import type { Layout } from './layout.ts';
import { isRecordName } from './names.ts';

type Target =
  /** The service's folder: hints name records. */
  | { readonly kind: 'service'; readonly path: string; readonly inode: number }
  /** The service has no folder yet, and only a registration may make it: its parent tells when it comes. */
  | { readonly kind: 'parent'; readonly path: string; readonly inode: number };

export class Hints {
  readonly #layout: Layout;
  readonly #service: string;
  readonly #onHint: () => void;
  #watching: { readonly target: Target; readonly watcher: FSWatcher } | undefined;
  #pending: Set<string> | 'all' = new Set();

  /** `onHint` is called when there is something to take. */
  constructor(layout: Layout, service: string, onHint: () => void) {
    this.#layout = layout;
    this.#service = service;
    this.#onHint = onHint;
  }

  /** Whether changes are being pushed; false when the system has no watches left or the file system cannot. */
  get isPushed(): boolean {
    return this.#watching !== undefined;
  }

  /** The names that may have changed since they were last taken. */
  take(): ReadonlySet<string> | 'all' {
    const taken = this.#pending;
    this.#pending = new Set();
    return taken;
  }

  /** Whether it may be another folder by now that has to be watched. */
  get isUncertain(): boolean {
    return this.#pending === 'all';
  }

  /** Watches the folder that is there now, which may be another one than before; everything in a new one is a hint. */
  async attach(): Promise<void> {
    const target = await this.#findTarget();
    const current = this.#watching?.target;
    if (current?.path === target.path && current.inode === target.inode) return;
    this.close();
    this.#watch(target);
    this.#pending = 'all';
  }

  /** Ends the watch. */
  close(): void {
    const watching = this.#watching;
    this.#watching = undefined;
    watching?.watcher.close();
  }

  async #findTarget(): Promise<Target> {
    const path = this.#layout.service(this.#service);
    const folder = await unlessMissing(stat(path));
    if (folder !== undefined) return { kind: 'service', path, inode: folder.ino };
    const parentPath = this.#layout.services;
    let parent = await unlessMissing(stat(parentPath));
    if (parent === undefined) {
      await this.#layout.ensure();
      parent = await stat(parentPath);
    }
    return { kind: 'parent', path: parentPath, inode: parent.ino };
  }

  #watch(target: Target): void {
    try {
      const watcher = watch(target.path);
      this.#watching = { target, watcher };
      watcher.on('change', (_event, name) => {
        this.#hint(target, typeof name === 'string' ? name : undefined);
      });
      // Without a watch the poll goes on, faster.
      watcher.on('error', () => {
        this.#detach(watcher);
      });
    } catch {
      // EMFILE, ENOSPC: no watches left; ENOENT: just removed; others: a file system without them. The poll goes on, and
      // the next attach tries again.
    }
  }

  #hint(target: Target, name: string | undefined): void {
    if (this.#watching?.target !== target) return;
    // A folder that is removed says so with its own name; the next of that name may even have its inode number.
    if (name === basename(target.path)) this.#detach(this.#watching.watcher);
    if (target.kind === 'service' && name !== undefined && this.#pending !== 'all') {
      if (isRecordName(name)) this.#pending.add(name);
    } else if (target.kind === 'service' || name === undefined || name === this.#service) {
      this.#pending = 'all';
    }
    if (this.#pending === 'all' || this.#pending.size > 0) this.#onHint();
  }

  #detach(watcher: FSWatcher): void {
    if (this.#watching?.watcher !== watcher) return;
    this.close();
    this.#pending = 'all';
    this.#onHint();
  }
}
