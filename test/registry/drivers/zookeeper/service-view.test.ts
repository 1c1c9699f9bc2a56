// The nodes of a service against a tree in memory whose watches work once, like ZooKeeper's.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import { nerve } from '../../../../src/registry/drivers/zookeeper/formats/nerve.ts';
import type { NodeStat } from '../../../../src/registry/drivers/zookeeper/protocol/nodes.ts';
import { encodeRecord } from '../../../../src/registry/drivers/zookeeper/records.ts';
import { ServiceView } from '../../../../src/registry/drivers/zookeeper/service-view.ts';
import { instanceOf } from '../../../contract/world.ts';

describe('the view of a service', () => {
  it('waits for a folder that is not there yet', async () => {
    const tree = new Tree();
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.view.reading(), { instances: [], version: 'none', malformed: 0 });
    assert.equal(tree.view.stale, false);
    tree.write('a', 1);
    assert.equal(tree.view.stale, true);
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.ports(), [1]);
  });

  it('reads only what has changed', async () => {
    const tree = new Tree();
    for (const name of ['a', 'b', 'c']) tree.write(name, 1);
    await tree.view.refresh({ list: false });
    const { version } = tree.view.reading();
    tree.asked.length = 0;
    tree.write('b', 2);
    tree.write('d', 4);
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.asked.sort(), ['b', 'd', 'list']);
    assert.deepEqual(tree.ports(), [1, 1, 2, 4]);
    assert.notEqual(tree.view.reading().version, version);
    tree.asked.length = 0;
    await tree.view.refresh({ list: true });
    assert.deepEqual(tree.asked, ['list']);
  });

  it('knows those that said farewell from those that ended otherwise', async () => {
    const tree = new Tree();
    for (const name of ['a', 'b', 'c']) tree.write(name, 1);
    await tree.view.refresh({ list: false });
    tree.write('a', 1, true);
    await tree.view.refresh({ list: false });
    assert.deepEqual([...(tree.view.reading().departed ?? [])], ['a'], 'read while it leaves');
    tree.write('b', 1, true);
    tree.remove('b');
    tree.remove('a');
    tree.remove('c');
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.ports(), []);
    assert.deepEqual([...(tree.view.reading().departed ?? [])].sort(), ['a', 'b']);
  });

  it('does not take an update before a crash for a farewell', async () => {
    const tree = new Tree();
    tree.write('a', 1);
    await tree.view.refresh({ list: false });
    tree.write('a', 2);
    await tree.view.refresh({ list: false });
    tree.remove('a');
    await tree.view.refresh({ list: false });
    assert.equal(tree.view.reading().departed, undefined);
  });

  it('reads a node again that was made anew under its name', async () => {
    const tree = new Tree();
    tree.write('a', 1);
    await tree.view.refresh({ list: false });
    tree.remove('a');
    tree.write('a', 2);
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.ports(), [2]);
  });

  it('takes the newest of several nodes with one id', async () => {
    const tree = new Tree();
    tree.write('new', 2, false, 'same');
    tree.write('old', 1, false, 'same');
    tree.write('new', 3, false, 'same');
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.ports(), [3]);
  });

  it('counts a node that may not be read, and asks again after a failure', async () => {
    const tree = new Tree();
    tree.write('a', 1);
    tree.failure = new RegistryError('registry_auth', 'no');
    await tree.view.refresh({ list: false });
    assert.equal(tree.view.reading().malformed, 1);
    tree.write('b', 1);
    tree.failure = new RegistryError('registry_unavailable', 'later');
    await assert.rejects(tree.view.refresh({ list: false }), { code: 'registry_unavailable' });
    assert.equal(tree.view.stale, true);
    tree.failure = undefined;
    await tree.view.refresh({ list: false });
    assert.deepEqual(tree.ports(), [1]);
  });

  it('has another identity when its folder was made anew', async () => {
    const tree = new Tree();
    tree.write('a', 1);
    await tree.view.refresh({ list: false });
    const { identity } = tree.view;
    tree.write('b', 1);
    await tree.view.refresh({ list: false });
    assert.equal(tree.view.identity, identity);
    tree.clear();
    await tree.view.refresh({ list: false });
    assert.equal(tree.view.identity, undefined);
    tree.write('a', 1);
    await tree.view.refresh({ list: false });
    assert.notEqual(tree.view.identity, identity);
  });
});

class Tree {
  failure: RegistryError | undefined;
  readonly asked: string[] = [];
  readonly view: ServiceView;
  readonly #nodes = new Map<string, { data: Buffer; writtenZxid: bigint }>();
  readonly #watched = new Set<string>();
  #folder: { createdZxid: bigint; childrenVersion: number; childrenZxid: bigint } | undefined;
  #zxid = 0n;

  constructor() {
    const nodes = {
      children: async () => {
        this.asked.push('list');
        if (this.#folder === undefined) return undefined;
        this.#watched.add('list');
        return { names: [...this.#nodes.keys()], stat: this.#stat() };
      },
      stat: async () => {
        this.#watched.add('made');
        return this.#folder && this.#stat();
      },
      read: async (path: string) => {
        const name = path.slice('/payments/'.length);
        this.asked.push(name);
        if (this.failure !== undefined) throw this.failure;
        const node = this.#nodes.get(name);
        if (node === undefined) return undefined;
        this.#watched.add(name);
        return { data: node.data, stat: this.#stat(node.writtenZxid) };
      },
    };
    this.view = new ServiceView(
      { nodes, format: nerve },
      { service: 'payments', folder: '/payments' },
    );
  }

  ports(): readonly number[] {
    return this.view
      .reading()
      .instances.map(({ port }) => port)
      .sort();
  }

  write(name: string, port: number, leaving = false, id = name): void {
    this.#zxid++;
    const isNew = !this.#nodes.has(name);
    const data = encodeRecord(nerve, instanceOf(1, { id, port }), leaving);
    this.#nodes.set(name, { data, writtenZxid: this.#zxid });
    if (this.#folder === undefined) {
      this.#folder = { createdZxid: this.#zxid, childrenVersion: 0, childrenZxid: this.#zxid };
      this.#trigger('made', 1);
    }
    if (isNew) this.#changeList();
    else this.#trigger(name, 3);
  }

  remove(name: string): void {
    this.#zxid++;
    this.#nodes.delete(name);
    this.#trigger(name, 2);
    this.#changeList();
  }

  clear(): void {
    for (const name of [...this.#nodes.keys()]) this.remove(name);
    this.#folder = undefined;
    this.#trigger('list', 2);
  }

  #changeList(): void {
    if (this.#folder === undefined) return;
    this.#folder.childrenVersion++;
    this.#folder.childrenZxid = this.#zxid;
    this.#trigger('list', 4);
  }

  #trigger(watched: string, type: number): void {
    if (!this.#watched.delete(watched)) return;
    this.view.event(type, watched === 'list' || watched === 'made' ? undefined : watched);
  }

  #stat(writtenZxid = 0n): NodeStat {
    return {
      createdZxid: 0n,
      createdAtMs: 0n,
      childrenVersion: 0,
      childrenZxid: 0n,
      owner: 0n,
      children: this.#nodes.size,
      ...this.#folder,
      writtenZxid,
    };
  }
}
