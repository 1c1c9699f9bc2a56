// What the soak finds between two heap snapshots: a leak of a named class comes first.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { grownClasses, type HeapSnapshot } from '../../bench/soak/heap-growth.ts';

const leaked = 5000;
/** A heap of its own, smaller than that of this process. It leaks at its start and at each message. */
const leakingScript = `
  const { parentPort } = require('node:worker_threads');
  class LeakedCall { a = {}; b = 2; c = 3; d = 4; e = 5; f = 6; g = 7; h = 8; }
  const kept = new Array(${2 * leaked});
  let next = 0;
  const leak = () => {
    for (let n = 0; n < ${leaked}; n++) kept[next++] = new LeakedCall();
    parentPort.postMessage('leaked');
  };
  parentPort.on('message', leak);
  leak();`;

async function snapshotOf(worker: Worker): Promise<HeapSnapshot> {
  return JSON.parse(await text(await worker.getHeapSnapshot())) as HeapSnapshot;
}

/** Objects are [type, name, bytes]. */
function heap(...objects: readonly (readonly [number, string, number])[]): HeapSnapshot {
  return {
    // V8 has more fields, and may have them in another order.
    snapshot: {
      meta: {
        node_fields: ['name', 'id', 'type', 'self_size'],
        node_types: ['string', 'number', ['object', 'closure', 'array', 'native'], 'number'],
      },
    },
    strings: objects.map(([, name]) => name),
    nodes: objects.flatMap(([type, , bytes], n) => [n, 100 + n, type, bytes]),
  };
}

describe('classes that grew between two heap snapshots', () => {
  it('begin with one that leaks', { timeout: 60_000 }, async () => {
    const worker = new Worker(leakingScript, { eval: true, execArgv: [] });
    try {
      await once(worker, 'message');
      const before = await snapshotOf(worker);
      worker.postMessage('leak');
      await once(worker, 'message');
      const [first, second] = grownClasses(before, await snapshotOf(worker));
      assert.ok(first && second);
      assert.equal(first.name, 'LeakedCall');
      assert.equal(first.moreObjects, leaked);
      assert.equal(first.objects, 2 * leaked);
      assert.ok(first.moreBytes > leaked * 8 * 4, `${first.moreBytes} bytes`);
      assert.equal(second.name, 'Object');
    } finally {
      await worker.terminate();
    }
  });

  it('are summed by name, those that grew most first, without those that did not grow', () => {
    const before = heap([0, 'Call', 10], [0, 'Gone', 50], [0, 'Same', 5], [2, '', 40]);
    const after = heap(
      [0, 'Call', 10],
      [0, 'Call', 10],
      [0, 'Same', 5],
      [2, 'elements', 30],
      [2, '', 40],
      [3, 'Node / TCPWrap', 20],
    );
    assert.deepEqual(grownClasses(before, after), [
      { name: '(array)', objects: 2, moreObjects: 1, bytes: 70, moreBytes: 30 },
      { name: 'Node / TCPWrap', objects: 1, moreObjects: 1, bytes: 20, moreBytes: 20 },
      { name: 'Call', objects: 2, moreObjects: 1, bytes: 20, moreBytes: 10 },
    ]);
  });

  it('have functions by their own names', () => {
    const [first, second] = grownClasses(heap(), heap([1, 'onReply', 64], [1, '', 32]));
    assert.equal(first?.name, 'closure onReply');
    assert.equal(second?.name, '(closure)');
  });
});
