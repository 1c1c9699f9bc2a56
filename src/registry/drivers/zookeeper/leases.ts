// Our own nodes: made, looked at and deleted, in the name of the driver's session.
import { RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import type { Format } from './formats/format.ts';
import { ancestorsOf, folderOf, type Layout } from './layout.ts';
import type { Link } from './link.ts';
import { decodeRecord, encodeRecord } from './records.ts';

interface LeasesOptions {
  readonly format: Format;
  readonly layout: Layout;
}

/** Making a node may meet a folder that was just removed, or an old node that must go first; each once or twice. */
const attemptsMax = 4;

export class Leases {
  readonly #format: Format;
  readonly #layout: Layout;
  /** Of numbered nodes: the path that the server gave, or `unsure` when making the node had no answer. */
  readonly #numbered = new Map<string, string>();

  constructor({ format, layout }: LeasesOptions) {
    this.#format = format;
    this.#layout = layout;
  }

  /** Makes the node, or writes it anew if this session has it already. */
  async acquire(link: Link, instance: Instance): Promise<void> {
    const data = encodeRecord(this.#format, instance, false);
    const own = this.#format.sequential ? await this.#ownPath(link, instance) : undefined;
    if (own !== undefined && (await link.nodes.write(own, data)) === 'ok') return;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (await this.#make(link, instance, data)) return;
    }
    throw new RegistryError('registry_unavailable', 'zookeeper: the node is changed by others');
  }

  async renew(link: Link, instance: Instance): Promise<'ok' | 'gone'> {
    return (await this.#ownPath(link, instance)) === undefined ? 'gone' : 'ok';
  }

  /** Says farewell in the node and deletes it, also when it is of another session. */
  async release(link: Link, instance: Instance): Promise<void> {
    const farewell = encodeRecord(this.#format, instance, true);
    const own = await this.#ownPath(link, instance);
    const paths = own === undefined ? await this.#pathsOf(link, instance) : [own];
    for (const path of paths) {
      // Both under way at once: the server keeps the order.
      await Promise.all([link.nodes.write(path, farewell), link.nodes.delete(path)]);
    }
    this.#numbered.delete(keyOf(instance));
  }

  /** False when it must be tried again. */
  async #make(link: Link, instance: Instance, data: Buffer): Promise<boolean> {
    const { nodes, ticket } = link;
    const { sequential } = this.#format;
    const path = this.#pathOf(instance);
    if (sequential) this.#numbered.set(keyOf(instance), unsure);
    const made = await nodes.createEphemeral(path, data, { sequential });
    if (made === 'no-parent') {
      await this.#makeFolders(link, path);
      return false;
    }
    if (made !== 'exists') {
      if (sequential) this.#numbered.set(keyOf(instance), made.path);
      return true;
    }
    const stat = await nodes.stat(path, { watch: false });
    if (stat === undefined) return false;
    if (stat.owner === ticket.id) return (await nodes.write(path, data)) === 'ok';
    // Left by a process that is no more: it would vanish with its session, under our feet.
    await nodes.delete(path);
    return false;
  }

  async #makeFolders({ nodes }: Link, path: string): Promise<void> {
    for (const folder of ancestorsOf(path)) {
      if ((await nodes.stat(folder, { watch: false })) !== undefined) continue;
      await nodes.createFolder(folder, { container: this.#format.containers });
    }
  }

  /** The path of the node if it is there and of this session. */
  async #ownPath(link: Link, instance: Instance): Promise<string | undefined> {
    const isOwn = async (path: string): Promise<boolean> =>
      (await link.nodes.stat(path, { watch: false }))?.owner === link.ticket.id;
    const known = this.#format.sequential
      ? this.#numbered.get(keyOf(instance))
      : this.#pathOf(instance);
    if (known === undefined) return undefined;
    if (known !== unsure) return (await isOwn(known)) ? known : undefined;
    for (const path of await this.#pathsOf(link, instance)) {
      if (!(await isOwn(path))) continue;
      this.#numbered.set(keyOf(instance), path);
      return path;
    }
    return undefined;
  }

  /** Where the instance is or may be, whoever made the node. Reads the numbered nodes that may be its. */
  async #pathsOf({ nodes }: Link, instance: Instance): Promise<readonly string[]> {
    const prefix = this.#pathOf(instance);
    if (!this.#format.sequential) return [prefix];
    const folder = folderOf(this.#layout, instance.service);
    const found = await nodes.children(folder, { watch: false });
    const paths: string[] = [];
    for (const node of found?.names ?? []) {
      const path = `${folder}/${node}`;
      if (!path.startsWith(prefix)) continue;
      const record = await nodes.read(path, { watch: false });
      if (record === undefined) continue;
      const decoded = decodeRecord(this.#format, instance.service, node, record.data);
      if (decoded?.instance.id === instance.id) paths.push(path);
    }
    return paths;
  }

  /** Of numbered nodes: without the number. */
  #pathOf({ service, id }: Instance): string {
    return `${folderOf(this.#layout, service)}/${this.#format.nodeName(id)}`;
  }
}

const unsure = 'unsure';

function keyOf({ service, id }: Instance): string {
  return `${service}/${id}`;
}
