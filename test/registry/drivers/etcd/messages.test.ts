import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as messages from '../../../../src/registry/drivers/etcd/messages.ts';
import {
  bytesField,
  messageOfFields,
  readFields,
  varintField,
} from '../../../../src/registry/drivers/etcd/protobuf.ts';

describe('protocol buffers', () => {
  it('give numbers back, up to 64 bits', () => {
    const numbers = [0n, 1n, 127n, 128n, 300n, 2n ** 49n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n];
    for (const number of numbers) {
      const read: [number, bigint][] = [];
      readFields(varintField(20, number), { varint: (...field) => void read.push(field) });
      assert.deepEqual(read, [[20, number]]);
    }
  });

  it('are written as the format says', () => {
    // The examples of the format's documentation.
    assert.equal(varintField(1, 150).toString('hex'), '089601');
    assert.equal(bytesField(2, 'testing').toString('hex'), '120774657374696e67');
  });

  it('are read over fields that nobody asked for', () => {
    const fixed64 = Buffer.from('390102030405060708', 'hex');
    const fixed32 = Buffer.from('3501020304', 'hex');
    const message = messageOfFields(varintField(9, 7), fixed64, fixed32, bytesField(2, 'x'));
    const read: string[] = [];
    readFields(message, {
      bytes: (field, value) => void read.push(`${field} ${value.toString()}`),
    });
    assert.deepEqual(read, ['2 x']);
    readFields(message, {});
  });

  it('that are cut off or senseless are refused', () => {
    for (const hex of ['08', '0880', '1205aa', '39aa', '0b', '08ffffffffffffffffffff01']) {
      assert.throws(() => readFields(Buffer.from(hex, 'hex'), {}), { code: 'registry_invalid' });
    }
  });
});

describe("etcd's messages", () => {
  const header = bytesField(1, messageOfFields(varintField(1, 2n ** 63n - 1n), varintField(3, 42)));

  it('tell a lease that is gone by its missing TTL', () => {
    const id = 7_587_894_021_330_441_234n;
    const kept = messageOfFields(header, varintField(2, id), varintField(3, 30));
    assert.deepEqual(messages.readLease(kept), { id, ttlSeconds: 30 });
    assert.equal(messages.readLease(messageOfFields(header, varintField(2, id))).ttlSeconds, 0);
  });

  it('give ranges and events', () => {
    const pair = messageOfFields(bytesField(1, 'k'), varintField(3, 9), bytesField(5, 'v'));
    const range = messages.readRange(
      messageOfFields(header, bytesField(2, pair), varintField(3, 1)),
    );
    assert.deepEqual(range, {
      revision: 42,
      pairs: [{ key: 'k', value: Buffer.from('v') }],
      more: true,
    });
    const deletion = messageOfFields(varintField(1, 1), bytesField(2, bytesField(1, 'k')));
    const watch = messages.readWatchAnswer(
      messageOfFields(
        header,
        varintField(2, -1),
        bytesField(11, bytesField(2, pair)),
        bytesField(11, deletion),
      ),
    );
    assert.equal(watch.watchId, -1);
    assert.equal(watch.revision, 42);
    assert.deepEqual(
      watch.events.map(({ kind, key, value }) => [kind, key, value.toString()]),
      [
        ['put', 'k', 'v'],
        ['delete', 'k', ''],
      ],
    );
  });
});
