// The text of a record.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatRecord, parseRecord } from '../../../../src/registry/drivers/file/record.ts';
import { instanceOf } from '../../../support/scripted-driver.ts';

const instance = instanceOf('a');
const process = { pid: 7, startTicks: 1234, bootId: 'b', namespaces: 'pid:[1] time:[2]' };

function parse(fields: object, fileName = 'a.json'): unknown {
  const own = JSON.parse(formatRecord({ instance, ttlMs: 6000 })) as object;
  return parseRecord(instance.service, fileName, JSON.stringify({ ...own, ...fields }));
}

describe('record', () => {
  it('is read back as it was written', () => {
    for (const record of [
      { instance, ttlMs: 6000, process },
      { instance, ttlMs: 6000 },
    ]) {
      assert.deepEqual(parseRecord(instance.service, 'a.json', formatRecord(record)), record);
    }
  });

  it('is refused when its file is not the one of its id', () => {
    assert.equal(parse({}, 'b.json'), undefined);
  });

  it('is refused when it is no instance or has no lease time', () => {
    assert.equal(parse({ port: 70_000 }), undefined);
    assert.equal(parse({ ttlMs: 0 }), undefined);
    assert.equal(parse({ ttlMs: '6s' }), undefined);
    for (const text of ['', '{', 'null', '[]', '"a"']) {
      assert.equal(parseRecord(instance.service, 'a.json', text), undefined, text);
    }
  });

  it('has no process when a part of its identity is missing or wrong', () => {
    const own = { pid: 7, pidStart: 1, bootId: 'b', pidNamespace: 'n' };
    assert.deepEqual(parse(own), {
      instance,
      ttlMs: 6000,
      process: { pid: 7, startTicks: 1, bootId: 'b', namespaces: 'n' },
    });
    for (const wrong of [
      { pid: 0 },
      { pid: -1 },
      { pid: '7' },
      { pidStart: null },
      { bootId: 1 },
    ]) {
      assert.deepEqual(parse({ ...own, ...wrong }), { instance, ttlMs: 6000 });
    }
  });

  it('cannot live for ever', () => {
    assert.deepEqual(parse({ ttlMs: 1e12 }), { instance, ttlMs: 600_000 });
  });
});
