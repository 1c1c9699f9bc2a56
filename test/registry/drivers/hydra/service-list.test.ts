import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import { formatArrival, formatDeparture } from '../../../../src/registry/drivers/hydra/changes.ts';
import { hydraIdOf } from '../../../../src/registry/drivers/hydra/keys.ts';
import { formatNode } from '../../../../src/registry/drivers/hydra/node-record.ts';
import { ServiceList } from '../../../../src/registry/drivers/hydra/service-list.ts';

function instance(id: string, weight = 1): Instance {
  const port = 1000 + Number(id.slice(1));
  return { service: 'payments', id, host: 'h', port, weight, tags: [], meta: {} };
}

function keyOf(id: string): string {
  return hydraIdOf('payments', id);
}

function listOf(...ids: readonly string[]): ServiceList {
  return new ServiceList(
    'payments',
    ids.map((id) => instance(id)),
    0,
  );
}

/** What a look finds of these, by id; `present` without a record unless it is given. */
function take(
  list: ServiceList,
  present: Readonly<Record<string, boolean>>,
  records: readonly Instance[] = [],
  nowMs = 0,
): boolean {
  return list.take(
    {
      present: new Map(Object.entries(present).map(([id, value]) => [keyOf(id), value])),
      records: new Map(records.map((item) => [keyOf(item.id), formatNode(item, nowMs)])),
    },
    nowMs,
  );
}

function idsOf(list: ServiceList): readonly string[] {
  return list.reading('1').instances.map(({ id }) => id);
}

describe('the list of a service', () => {
  it('does not change when it finds what it has', () => {
    const list = listOf('a1', 'a2');
    assert.equal(take(list, { a1: true, a2: true }, [instance('a1')]), false);
    assert.deepEqual(idsOf(list), ['a1', 'a2']);
  });

  it('takes who is new and what is new', () => {
    const list = listOf('a1');
    assert.equal(take(list, { a1: true, a2: true }, [instance('a1', 5), instance('a2')]), true);
    assert.deepEqual(list.reading('1').instances, [instance('a1', 5), instance('a2')]);
  });

  it('loses who is absent, looks for it for a minute more, and takes it back', () => {
    const list = listOf('a1', 'a2');
    assert.equal(take(list, { a1: true, a2: false }), true);
    assert.equal(take(list, { a1: true, a2: false }), false);
    assert.deepEqual(idsOf(list), ['a1']);
    assert.equal(take(list, { a2: true }, [], 59_000), true);
    assert.deepEqual(idsOf(list), ['a1', 'a2']);
    take(list, { a2: false }, [], 60_000);
    take(list, { a2: false }, [], 119_001);
    assert.deepEqual(list.ids, [keyOf('a1')]);
  });

  it('keeps an instance whose record is gone while it is present', () => {
    const list = listOf('a1');
    const present = new Map([[keyOf('a1'), true]]);
    assert.equal(list.take({ present, records: new Map([[keyOf('a1'), undefined]]) }, 0), false);
    assert.deepEqual(idsOf(list), ['a1']);
  });

  it('counts what is present and no instance', () => {
    const list = listOf('a1');
    const present = new Map([['x', true]]);
    assert.equal(list.take({ present, records: new Map([['x', 'no json']]) }, 0), true);
    assert.equal(list.reading('1').malformed, 1);
    assert.deepEqual(idsOf(list), ['a1']);
  });

  it('hears who comes, changes and leaves', () => {
    const list = listOf('a1');
    assert.equal(list.hear(formatArrival(instance('a2')), 0), 'changed');
    assert.equal(list.hear(formatArrival(instance('a2')), 0), 'same');
    assert.equal(list.hear(formatArrival(instance('a2', 3)), 0), 'changed');
    assert.equal(list.hear(formatDeparture(keyOf('a1')), 0), 'changed');
    assert.equal(list.hear(formatDeparture(keyOf('a1')), 0), 'same');
    const { instances, departed } = list.reading('1');
    assert.deepEqual(instances, [instance('a2', 3)]);
    assert.deepEqual(departed, new Set(['a1']));
    list.hear(formatArrival(instance('a1')), 0);
    assert.equal(list.reading('1').departed, undefined);
  });

  it('does not let a look overrule what it heard meanwhile', () => {
    const list = listOf('a1');
    list.beginLook();
    list.hear(formatArrival(instance('a2', 3)), 0);
    list.hear(formatDeparture(keyOf('a1')), 0);
    const stale = [instance('a1'), instance('a2')];
    assert.equal(take(list, { a1: true, a2: true }, stale), false);
    assert.deepEqual(list.reading('1').instances, [instance('a2', 3)]);
    list.beginLook();
    assert.equal(take(list, { a2: false }), true);
  });

  it('is to be looked at after a message that it does not understand', () => {
    const list = listOf('a1');
    const senseless = ['', 'null', '1', '{}', '{"set":{"id":"x"}}', '{"left":1}'];
    for (const text of [...senseless, `{"left":"${'x'.repeat(70_000)}"}`]) {
      assert.equal(list.hear(text, 0), 'gap', text.slice(0, 30));
    }
    assert.deepEqual(idsOf(list), ['a1']);
  });
});
