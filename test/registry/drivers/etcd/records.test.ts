import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  idOfKey,
  keyOf,
  serviceOfKey,
  serviceRange,
} from '../../../../src/registry/drivers/etcd/keys.ts';
import {
  formatLeft,
  formatRecord,
  parseRecord,
} from '../../../../src/registry/drivers/etcd/record.ts';
import { isEtcdReading, ServiceList } from '../../../../src/registry/drivers/etcd/service-list.ts';
import { idsOf, instance } from './fixture.ts';

const range = serviceRange('/sd', 'payments');
const record = (id: string): string => formatRecord(instance(id));
const put = (id: string, text = record(id)) => ({
  kind: 'put' as const,
  key: keyOf('/sd', 'payments', id),
  value: Buffer.from(text),
});
const removal = (id: string) => ({ ...put(id, ''), kind: 'delete' as const });

describe('keys', () => {
  it('are printable, within their service, and give the id back', () => {
    for (const id of ['a', 'A', '..', '../x', 'ü ☃', '%41', '\0', 'x:y{z}*?[', '😀']) {
      const key = keyOf('/sd', 'payments', id);
      assert.match(key, /^\/sd\/payments\/[\w.~%-]+$/);
      assert.ok(key > range.from && key < range.to);
      assert.equal(idOfKey(range, key), id);
      assert.equal(serviceOfKey('/sd', key), 'payments');
    }
    assert.equal(keyOf('/sd', 'payments', 'web-1.eu'), '/sd/payments/web-1.eu');
  });

  it('of other programs are ids as they are', () => {
    for (const id of ['a/b', '%zz', 'a%41']) assert.equal(idOfKey(range, `/sd/payments/${id}`), id);
  });

  it('of a service are none of another one', () => {
    for (const other of ['payment', 'payments-2', 'payments.eu', 'payments0']) {
      const key = keyOf('/sd', other, 'a');
      assert.ok(key < range.from || key >= range.to, other);
    }
  });
});

describe('records', () => {
  it('give the instance back', () => {
    const one = instance('a', {
      host: '::1',
      tags: ['x'],
      meta: { b: '\0' },
      zone: 'z',
      weight: 0,
    });
    const parsed = parseRecord('payments', 'a', Buffer.from(formatRecord(one)));
    assert.deepEqual(parsed, { kind: 'instance', instance: one });
  });

  it('of a leaver are no instance, and get no load from those who take them for one', () => {
    const text = formatLeft(instance('a', { weight: 5 }));
    assert.deepEqual(parseRecord('payments', 'a', Buffer.from(text)), { kind: 'left', id: 'a' });
    assert.equal((JSON.parse(text) as { weight: number }).weight, 0);
  });

  it('that are none or too long are malformed', () => {
    const long = JSON.stringify({ host: 'a', port: 1, x: 'x'.repeat(20_000) });
    for (const text of ['', 'null', '7', ':80', 'x:y', '{"Addr":7}', '{"Addr":"x"}', '[]', long]) {
      assert.deepEqual(
        parseRecord('payments', 'a', Buffer.from(text)),
        { kind: 'malformed' },
        text,
      );
    }
  });
});

describe('a service list', () => {
  it('follows from what was read, foreign records included', () => {
    const read = ServiceList.read('payments', range, {
      revision: 5,
      pairs: [put('a'), put('b'), put('c', 'no record'), put('d', 'neither')],
      more: false,
    });
    assert.ok(isEtcdReading(read));
    assert.deepEqual([idsOf(read), read.malformed, read.revision], [['a', 'b'], 2, 5]);
    const list = new ServiceList('payments', range, read);
    list.apply([removal('c'), removal('a'), put('e')], 7);
    const next = list.reading();
    assert.deepEqual([idsOf(next), next.malformed], [['b', 'e'], 1]);
    assert.notEqual(next.version, read.version);
    assert.deepEqual(idsOf(read), ['a', 'b'], 'what was read stays as it was');
  });

  it('tells who left, also after the removal, until they are back', () => {
    const list = new ServiceList('payments', range);
    list.apply([put('a'), put('b')], 1);
    list.apply([put('a', formatLeft(instance('a')))], 2);
    assert.deepEqual([idsOf(list.reading()), list.reading().departed], [['b'], new Set(['a'])]);
    assert.equal(list.apply([removal('a')], 3), false);
    assert.equal(list.apply([removal('b')], 3), true, 'b said nothing');
    assert.deepEqual([idsOf(list.reading()), list.reading().departed], [[], new Set(['a'])]);
    list.apply([put('a')], 4);
    assert.deepEqual([idsOf(list.reading()), list.reading().departed], [['a'], new Set()]);
  });

  it('forgets who left long ago', () => {
    const list = new ServiceList('payments', range);
    for (let n = 0; n <= 1000; n++) {
      list.apply([put(`a${n}`, formatLeft(instance(`a${n}`))), removal(`a${n}`)], n + 1);
    }
    const { departed } = list.reading();
    assert.equal(departed?.size, 1000);
    assert.ok(!departed.has('a0') && departed.has('a1000'));
  });
});
