// The nodes of one service as they are known over one connection: watched, and read again when a watch tells so.
import { RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import type { Reading } from '../../driver.ts';
import type { Decoded, Format } from './formats/format.ts';
import { eventTypes } from './protocol/codes.ts';
import type { Nodes, NodeStat } from './protocol/nodes.ts';
import { decodeRecord } from './records.ts';

export interface ServiceViewDeps {
  readonly nodes: Pick<Nodes, 'children' | 'read' | 'stat'>;
  readonly format: Format;
}

interface Child {
  /** Undefined while it was not read yet, and for a record that is no instance. */
  decoded: Decoded | undefined;
  writtenZxid: bigint;
  /** Was written since it was read: when it is gone then, its owner has said farewell. */
  written: boolean;
}

/** Reads that are under way at once, so that a large service does not hold up what else the connection does. */
const readsAtOnce = 200;
/** A list that changes while its nodes are read is read again at once, but not for ever. */
const roundsMax = 3;
/** Ids of the departed that are remembered. */
const departedMax = 1000;

export class ServiceView {
  readonly #deps: ServiceViewDeps;
  readonly #service: string;
  readonly #folder: string;
  readonly #children = new Map<string, Child>();
  /** Nodes that have to be read. */
  readonly #stale = new Set<string>();
  readonly #departed = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #listStale = true;
  #stat: NodeStat | undefined;
  #failure: RegistryError | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(
    deps: ServiceViewDeps,
    { service, folder }: { readonly service: string; readonly folder: string },
  ) {
    this.#deps = deps;
    this.#service = service;
    this.#folder = folder;
  }

  /** Why nothing more is heard, once the connection is lost. */
  get failure(): RegistryError | undefined {
    return this.#failure;
  }

  /** Whether something changed since the last refresh. */
  get stale(): boolean {
    return this.#listStale || this.#stale.size > 0;
  }

  get followed(): boolean {
    return this.#listeners.size > 0;
  }

  /** Which incarnation of the service's folder this is; undefined when there is none. */
  get identity(): string | undefined {
    return this.#stat && `${hex(this.#stat.createdZxid)}.${hex(this.#stat.createdAtMs)}`;
  }

  /** Calls back when the view becomes stale or fails, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** An event of the folder itself, or of a node in it. */
  event(type: number, node: string | undefined): void {
    if (node === undefined) {
      this.#listStale = true;
    } else {
      const child = this.#children.get(node);
      if (child === undefined) return;
      this.#stale.add(node);
      child.written = type === eventTypes.dataChanged;
    }
    this.#tell();
  }

  lost(error: RegistryError): void {
    this.#failure = error;
    this.#tell();
  }

  /** Reads what has changed; with `list`, asks for the list of nodes in any case. */
  refresh({ list }: { readonly list: boolean }): Promise<void> {
    const refreshed = this.#refreshing
      .catch(() => undefined)
      .then(() => {
        if (list) this.#listStale = true;
        return this.#refresh();
      });
    // A failure is its caller's, not that of the next refresh.
    this.#refreshing = refreshed.catch(() => undefined);
    return refreshed;
  }

  reading(): Reading {
    const instances = new Map<string, Instance>();
    const departed = new Set(this.#departed);
    let malformed = 0;
    let writtenZxid = 0n;
    for (const child of this.#newestLast()) {
      if (child.writtenZxid > writtenZxid) writtenZxid = child.writtenZxid;
      if (child.decoded === undefined) malformed++;
      else if (child.decoded.serving)
        instances.set(child.decoded.instance.id, child.decoded.instance);
      else departed.add(child.decoded.instance.id);
    }
    for (const id of instances.keys()) departed.delete(id);
    return {
      instances: [...instances.values()],
      version: this.#version(writtenZxid),
      malformed,
      ...(departed.size > 0 && { departed }),
    };
  }

  async #refresh(): Promise<void> {
    for (let round = 0; this.stale && round < roundsMax; round++) {
      if (this.#listStale) await this.#list();
      const stale = [...this.#stale];
      for (let start = 0; start < stale.length; start += readsAtOnce) {
        const batch = stale.slice(start, start + readsAtOnce);
        await Promise.all(batch.map((node) => this.#read(node)));
      }
    }
  }

  async #list(): Promise<void> {
    const { nodes, format } = this.#deps;
    // Before asking: an event that comes after the answer means that the list has changed again.
    this.#listStale = false;
    try {
      const found = await nodes.children(this.#folder, { watch: true });
      this.#stat = found?.stat;
      // Without a folder, the watch waits until there is one; it may have been made just now.
      if (found === undefined) {
        this.#listStale = (await nodes.stat(this.#folder, { watch: true })) !== undefined;
      }
      const names = new Set(found?.names.filter((node) => format.isInstance(node)));
      for (const node of this.#children.keys()) if (!names.has(node)) this.#drop(node);
      for (const node of names) {
        if (this.#children.has(node)) continue;
        this.#children.set(node, { decoded: undefined, writtenZxid: 0n, written: false });
        this.#stale.add(node);
      }
    } catch (error) {
      this.#listStale = true;
      throw error;
    }
  }

  async #read(node: string): Promise<void> {
    const { nodes, format } = this.#deps;
    this.#stale.delete(node);
    const found = await nodes
      .read(`${this.#folder}/${node}`, { watch: true })
      .catch((error: unknown) => this.#unread(node, error));
    const child = this.#children.get(node);
    if (child === undefined || found === 'forbidden') return;
    if (found === undefined) {
      this.#drop(node);
      // The list that has it is old.
      this.#listStale = true;
      return;
    }
    child.writtenZxid = found.stat.writtenZxid;
    child.written &&= this.#stale.has(node);
    child.decoded = decodeRecord(format, this.#service, node, found.data);
  }

  /** A single node that we may not read counts as a record that is none. */
  #unread(node: string, error: unknown): 'forbidden' {
    if (error instanceof RegistryError && error.code === 'registry_auth') return 'forbidden';
    this.#stale.add(node);
    throw error;
  }

  #drop(node: string): void {
    const child = this.#children.get(node);
    this.#children.delete(node);
    this.#stale.delete(node);
    if (child?.decoded === undefined) return;
    if (!child.written && child.decoded.serving) return;
    this.#departed.add(child.decoded.instance.id);
    const [oldest] = this.#departed;
    if (this.#departed.size > departedMax && oldest !== undefined) this.#departed.delete(oldest);
  }

  /** Of several nodes with one id, the newest is the true one: the others belong to sessions that will end. */
  #newestLast(): readonly Child[] {
    const children = [...this.#children.values()];
    if (!this.#deps.format.sequential) return children;
    return children.sort((a, b) => Number(a.writtenZxid - b.writtenZxid));
  }

  #version(writtenZxid: bigint): string {
    if (this.#stat === undefined) return 'none';
    const { childrenVersion, childrenZxid } = this.#stat;
    const parts = [hex(childrenZxid), childrenVersion, hex(writtenZxid)];
    return [this.identity, ...parts].join('.');
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function hex(number: bigint): string {
  return number.toString(16);
}
