import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatInstance } from '../../../../src/core/instance.ts';
import {
  parseSnapshotReply,
  parseVersion,
  readingOf,
  ServiceList,
  type Version,
} from '../../../../src/registry/drivers/redis/service-list.ts';
import { idsOf, instance } from './fixture.ts';

const version = (number: number, epoch = '7'): Version => ({ epoch, number: String(number) });
const record = (id: string): string => formatInstance(instance(id));

function listOf(number: number, ...ids: readonly string[]): ServiceList {
  const records = ids.flatMap((id) => [id, record(id)]);
  return new ServiceList('payments', readingOf('payments', version(number), { records, left: [] }));
}

function message(pv: number, v: number, content: object, e = '7'): string {
  return JSON.stringify({ e, v: String(v), pv: String(pv), ...content });
}

describe('the list of a follower', () => {
  it('applies a change that follows its version', () => {
    const list = listOf(10, 'a1');
    assert.equal(list.apply(message(10, 12, { set: { a2: record('a2') } })), 'changed');
    assert.equal(list.apply(message(12, 13, { del: ['a1'], why: 'expired' })), 'changed');
    assert.deepEqual(idsOf(list.reading()), ['a2']);
    assert.equal(list.reading().version, '7-13');
    assert.equal(list.reading().departed, undefined);
  });

  it('applies the first change to a service that was unknown, and no later one', () => {
    const unknown = readingOf('payments', version(0, '0'), { records: [], left: [] });
    const list = new ServiceList('payments', unknown);
    assert.equal(list.apply(message(12, 13, { set: { a2: record('a2') } })), 'gap');
    assert.equal(list.apply(message(0, 12, { set: { a1: record('a1') } })), 'changed');
    assert.equal(list.apply(message(12, 13, { set: { a2: record('a2') } })), 'changed');
    assert.deepEqual(idsOf(list.reading()), ['a1', 'a2']);
    assert.equal(list.reading().version, '7-13');
    // The server lost everything meanwhile: only a snapshot tells that.
    assert.equal(list.apply(message(0, 20, { set: { a3: record('a3') } }, '8')), 'gap');
  });

  it('says who left by itself, until that id is back', () => {
    const list = listOf(10, 'a1', 'a2');
    list.apply(message(10, 11, { del: ['a1'], why: 'left' }));
    assert.deepEqual([...(list.reading().departed ?? [])], ['a1']);
    list.apply(message(11, 12, { set: { a1: record('a1') } }));
    assert.equal(list.reading().departed, undefined);
  });

  it('remembers a bounded number of those who left', () => {
    const list = listOf(0);
    for (let index = 0; index < 1500; index++) {
      const id = `a${index}`;
      list.apply(message(2 * index, 2 * index + 1, { set: { [id]: record(id) } }));
      list.apply(message(2 * index + 1, 2 * index + 2, { del: [id], why: 'left' }));
    }
    assert.equal(list.reading().departed?.size, 1000);
    assert.equal(list.reading().departed?.has('a1499'), true);
  });

  it('asks for a snapshot after a change that it missed, and forgets what it had heard before', () => {
    const list = listOf(10, 'a1');
    assert.equal(list.apply(message(11, 12, { del: ['a1'], why: 'left' })), 'gap');
    assert.equal(list.apply(message(8, 9, { del: ['a1'], why: 'left' })), 'old');
    assert.deepEqual(idsOf(list.reading()), ['a1']);
  });

  it('asks for a snapshot after a message that it cannot apply', () => {
    const list = listOf(10, 'a1');
    const cannot = [
      'no json',
      'null',
      '[]',
      message(10, 11, {}),
      message(10, 11, { set: { a1: record('a1') } }, '8'),
      message(10, 11, { set: { a2: 'no json' } }),
      message(10, 11, { set: { a2: record('other') } }),
      message(10, 11, { del: ['unknown'], why: 'left' }),
      message(10, 11, { set: { a2: record('a2') }, filler: 'x'.repeat(70_000) }),
    ];
    for (const text of cannot) assert.equal(list.apply(text), 'gap', text.slice(0, 80));
    assert.deepEqual(idsOf(list.reading()), ['a1']);
    assert.equal(list.reading().version, '7-10');
  });

  it('reports a reset when a snapshot is of another epoch', () => {
    const list = listOf(10, 'a1');
    assert.equal(list.replace(version(11), { records: [], left: [] }).reset, undefined);
    assert.equal(list.replace(version(3, '9'), { records: [], left: [] }).reset, true);
    assert.equal(list.replace(version(4, '9'), { records: [], left: [] }).reset, undefined);
  });

  it('reports no reset when a service that was unknown appears', () => {
    const unknown = readingOf('payments', version(0, '0'), { records: [], left: [] });
    const list = new ServiceList('payments', unknown);
    assert.equal(list.replace(version(5), { records: [], left: [] }).reset, undefined);
  });
});

describe('a snapshot', () => {
  it('ignores and counts records that are no instances', () => {
    const records = ['a1', record('a1'), 'x', 'no json', 'y', '{"id":"y"}', 'z', record('other')];
    const reading = readingOf('payments', version(1), {
      records: [...records, 'big', `"${'x'.repeat(20_000)}"`],
      left: ['b1'],
    });
    assert.deepEqual(idsOf(reading), ['a1']);
    assert.equal(reading.malformed, 4);
    assert.deepEqual([...(reading.departed ?? [])], ['b1']);
  });

  it('must be what the script answers', () => {
    assert.deepEqual(parseSnapshotReply(['7', '10', -1, 0]), {
      version: version(10),
      dueMs: undefined,
      leaseMs: 0,
    });
    for (const reply of [null, 'OK', [], ['7', 10, 0, 0], ['7', '10']]) {
      assert.throws(() => parseSnapshotReply(reply), { code: 'registry_invalid' });
    }
  });

  it('has a version that any other text reads as nothing known', () => {
    assert.deepEqual(parseVersion('7-10'), version(10));
    assert.deepEqual(parseVersion('etag'), version(0, '0'));
  });
});
