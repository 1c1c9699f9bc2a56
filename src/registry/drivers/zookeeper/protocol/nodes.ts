// Reading and writing nodes: each operation with the answers that its callers reckon with.
import { createFlags, failureOf, operations, replyCodes } from './codes.ts';
import type { Connection, Reply } from './connection.ts';
import type { JuteReader, JuteWriter } from './jute.ts';

/** What the server keeps about a node. Zxids are the server's numbers of changes. */
export interface NodeStat {
  /** Change that made the node. */
  readonly createdZxid: bigint;
  /** Change that wrote its data last. */
  readonly writtenZxid: bigint;
  readonly createdAtMs: bigint;
  /** Counts children that came or went. */
  readonly childrenVersion: number;
  /** Session that the node ends with; 0 for none. */
  readonly owner: bigint;
  readonly children: number;
  /** Change that added or removed a child last. */
  readonly childrenZxid: bigint;
}

/** Whom the nodes that we make are open to: everybody, or only those with our user and password. */
export type Access = 'everybody' | 'user';

const allPermissions = 31;
const anyVersion = -1;

/** Failures other than the answers named in the types are RegistryErrors. */
export class Nodes {
  readonly #connection: Connection;
  readonly #access: Access;

  constructor(connection: Connection, { access }: { readonly access: Access }) {
    this.#connection = connection;
    this.#access = access;
  }

  /** Makes a node of this session; `sequential` lets the server append ten digits. Answers its path. */
  async createEphemeral(
    path: string,
    data: Buffer,
    { sequential }: { readonly sequential: boolean },
  ): Promise<{ readonly path: string } | 'exists' | 'no-parent'> {
    const flags = sequential ? createFlags.ephemeralSequential : createFlags.ephemeral;
    const { code, body } = await this.#create(operations.create, path, data, flags);
    if (code === replyCodes.ok) return { path: body.text() };
    if (code === replyCodes.nodeExists) return 'exists';
    if (code === replyCodes.noNode) return 'no-parent';
    throw failureOf(code, `create ${path}`);
  }

  /** Makes a node without data, unless it is there. `container`: the server removes it some time after its last child. */
  async createFolder(path: string, { container }: { readonly container: boolean }): Promise<void> {
    const empty = Buffer.alloc(0);
    const { code } = container
      ? await this.#create(operations.createContainer, path, empty, createFlags.container)
      : await this.#create(operations.create, path, empty, createFlags.persistent);
    if (container && code === replyCodes.unimplemented) {
      await this.createFolder(path, { container: false });
    } else if (code !== replyCodes.ok && code !== replyCodes.nodeExists) {
      throw failureOf(code, `create ${path}`);
    }
  }

  async delete(path: string): Promise<'ok' | 'none'> {
    const reply = await this.#connection.request(operations.delete, (message) =>
      message.text(path).int(anyVersion),
    );
    return isThere(reply, `delete ${path}`) ? 'ok' : 'none';
  }

  async write(path: string, data: Buffer): Promise<'ok' | 'none'> {
    const reply = await this.#connection.request(operations.setData, (message) =>
      message.text(path).bytes(data).int(anyVersion),
    );
    return isThere(reply, `write ${path}`) ? 'ok' : 'none';
  }

  /** With `watch`, one event tells when the node is made, written or deleted, also when there is none yet. */
  async stat(path: string, { watch }: { readonly watch: boolean }): Promise<NodeStat | undefined> {
    const reply = await this.#connection.request(operations.exists, (message) =>
      message.text(path).bool(watch),
    );
    return isThere(reply, `look at ${path}`) ? readStat(reply.body) : undefined;
  }

  /** With `watch`, one event tells when the node is written or deleted; there is none when there is no node. */
  async read(
    path: string,
    { watch }: { readonly watch: boolean },
  ): Promise<{ readonly data: Buffer; readonly stat: NodeStat } | undefined> {
    const reply = await this.#connection.request(operations.getData, (message) =>
      message.text(path).bool(watch),
    );
    if (!isThere(reply, `read ${path}`)) return undefined;
    return { data: reply.body.bytes(), stat: readStat(reply.body) };
  }

  /** With `watch`, one event tells when a child comes or goes or the node is deleted; there is none when there is no node. */
  async children(
    path: string,
    { watch }: { readonly watch: boolean },
  ): Promise<{ readonly names: readonly string[]; readonly stat: NodeStat } | undefined> {
    const reply = await this.#connection.request(operations.getChildren2, (message) =>
      message.text(path).bool(watch),
    );
    if (!isThere(reply, `list ${path}`)) return undefined;
    return { names: reply.body.texts(), stat: readStat(reply.body) };
  }

  #create(operation: number, path: string, data: Buffer, flags: number): Promise<Reply> {
    return this.#connection.request(operation, (message) =>
      this.#writeAcl(message.text(path).bytes(data)).int(flags),
    );
  }

  #writeAcl(message: JuteWriter): JuteWriter {
    const [scheme, id] = this.#access === 'user' ? ['auth', ''] : ['world', 'anyone'];
    return message.int(1).int(allPermissions).text(scheme).text(id);
  }
}

function isThere({ code }: Reply, what: string): boolean {
  if (code === replyCodes.ok) return true;
  if (code === replyCodes.noNode) return false;
  throw failureOf(code, what);
}

function readStat(body: JuteReader): NodeStat {
  const createdZxid = body.long();
  const writtenZxid = body.long();
  const createdAtMs = body.long();
  body.long();
  body.int();
  const childrenVersion = body.int();
  body.int();
  const owner = body.long();
  body.int();
  const children = body.int();
  const childrenZxid = body.long();
  return {
    createdZxid,
    writtenZxid,
    createdAtMs,
    childrenVersion,
    owner,
    children,
    childrenZxid,
  };
}
