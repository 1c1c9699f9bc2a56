import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import { parseSlotMap, redirectOf } from '../../../../src/registry/drivers/redis/cluster-map.ts';
import { slotOf } from '../../../../src/registry/drivers/redis/hash-slot.ts';

const from = { host: '10.0.0.9', port: 7000 };

describe('a hash slot', () => {
  it('is the one that Redis says', () => {
    // CLUSTER KEYSLOT of Redis 7.0.15.
    assert.equal(slotOf('payments'), 8507);
    assert.equal(slotOf('123456789'), 0x31c3);
    assert.equal(slotOf(''), 0);
    assert.equal(slotOf('größe'), 9425);
  });
});

describe('the map of a cluster', () => {
  const reply = [
    [0, 8191, ['10.0.0.1', 7000, 'id', []], ['10.0.0.4', 7000, 'id', []]],
    [8192, 16_383, ['::1', 7001, 'id', []]],
  ];

  it('tells the owner of each slot', () => {
    const map = parseSlotMap(reply, from);
    assert.deepEqual(map.ownerOf(8191), { host: '10.0.0.1', port: 7000 });
    assert.deepEqual(map.ownerOf(8192), { host: '::1', port: 7001 });
    assert.equal(map.owners().length, 2);
  });

  it('may have gaps, and slots that moved', () => {
    const map = parseSlotMap([[0, 99, ['10.0.0.1', 7000]]], from);
    assert.equal(map.ownerOf(100), undefined);
    const there = { host: '10.0.0.2', port: 7000 };
    const moved = map.withMoved(7, there);
    assert.deepEqual(moved.ownerOf(7), there);
    assert.deepEqual(map.ownerOf(7), { host: '10.0.0.1', port: 7000 });
    assert.deepEqual(moved.owners(), [{ host: '10.0.0.1', port: 7000 }, there]);
  });

  it('means the server that was asked where it names no host', () => {
    for (const host of [null, '', '?']) {
      assert.deepEqual(parseSlotMap([[0, 1, [host, 7002]]], from).ownerOf(0), {
        host: '10.0.0.9',
        port: 7002,
      });
    }
  });

  it('is refused when it is nonsense', () => {
    const wrong: readonly unknown[] = [
      'OK',
      [],
      [['0', 1, ['a', 1]]],
      [[0, 16_384, ['a', 1]]],
      [[0, 1, ['a', 0]]],
      [[0, 1]],
    ];
    for (const one of wrong) {
      assert.throws(() => parseSlotMap(one, from), { code: 'registry_invalid' });
    }
  });
});

describe('a redirection', () => {
  const of = (text: string): unknown =>
    redirectOf(new RegistryError('registry_unavailable', `redis: ${text}`), from);

  it('is read from the error', () => {
    const address = { host: '10.0.0.1', port: 7000 };
    assert.deepEqual(of('MOVED 3999 10.0.0.1:7000'), { kind: 'moved', slot: 3999, address });
    assert.deepEqual(of('ASK 3999 10.0.0.1:7000'), { kind: 'ask', slot: 3999, address });
    assert.deepEqual(of('MOVED 1 ::1:7000'), {
      kind: 'moved',
      slot: 1,
      address: { host: '::1', port: 7000 },
    });
    assert.deepEqual(of('MOVED 1 :7001'), {
      kind: 'moved',
      slot: 1,
      address: { host: '10.0.0.9', port: 7001 },
    });
  });

  it('is not every error', () => {
    for (const text of ['TRYAGAIN', 'MOVED', 'MOVED 99999 a:1', 'ASK 1 a:0', 'MOVED x a:1']) {
      assert.equal(of(text), undefined, text);
    }
    assert.equal(redirectOf(new Error('MOVED 1 a:1'), from), undefined);
  });
});
