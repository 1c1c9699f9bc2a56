import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../src/core/instance.ts';
import { makeSnapshot, type Snapshot, type SnapshotState } from '../../src/core/snapshot.ts';
import { combineSnapshots, uniteInstances } from '../../src/registry/combine.ts';

function instanceOf(id: string, parts: Partial<Instance> = {}): Instance {
  const port = 1000 + id.charCodeAt(0);
  return { service: 's', id, host: 'h', port, weight: 1, tags: [], meta: {}, ...parts };
}

function listOf(state: SnapshotState, ids: string, confirmedAtMs = 0, held = 0): Snapshot {
  const instances = Array.from(ids, (id) => instanceOf(id));
  return makeSnapshot({ service: 's', state, instances, confirmedAtMs, held });
}

const show = ({ state, instances }: Snapshot): string =>
  `${state} ${instances.map(({ id }) => id).join('')}`.trim();

describe('combineSnapshots', () => {
  it('unites: every instance once, as old as the oldest part, with all that is held', () => {
    const united = combineSnapshots('union', [
      listOf('live', 'ab', 700, 1),
      listOf('live', 'bc', 500, 1),
    ]);
    assert.equal(show(united), 'live abc');
    assert.equal(united.confirmedAtMs, 500);
    assert.equal(united.held, 2);
  });

  const unions: readonly (readonly [Snapshot, Snapshot, string])[] = [
    [listOf('live', 'a'), listOf('live', ''), 'live a'],
    [listOf('live', 'a'), listOf('stale', 'b'), 'stale ab'],
    [listOf('live', 'a'), listOf('unknown', ''), 'stale a'],
    [listOf('stale', 'a'), listOf('unknown', ''), 'stale a'],
    // What the other one has cannot be told: nobody may conclude that there is no such service.
    [listOf('live', ''), listOf('unknown', ''), 'unknown'],
    [listOf('unknown', ''), listOf('unknown', ''), 'unknown'],
    [listOf('live', ''), listOf('stale', ''), 'stale'],
  ];
  for (const [first, second, expected] of unions) {
    it(`the union of ${show(first)} and ${show(second)} is ${expected}`, () => {
      assert.equal(show(combineSnapshots('union', [first, second])), expected);
      assert.equal(show(combineSnapshots('union', [second, first])), expected);
    });
  }

  const firsts: readonly (readonly [Snapshot, Snapshot, string])[] = [
    [listOf('live', 'a'), listOf('live', 'b'), 'live a'],
    [listOf('stale', 'a'), listOf('live', 'b'), 'live b'],
    [listOf('live', ''), listOf('live', 'b'), 'live b'],
    [listOf('unknown', ''), listOf('stale', 'b'), 'stale b'],
    [listOf('stale', 'a'), listOf('stale', 'b'), 'stale a'],
    [listOf('live', ''), listOf('unknown', ''), 'unknown'],
    [listOf('live', ''), listOf('live', ''), 'live'],
  ];
  for (const [first, second, expected] of firsts) {
    it(`the first healthy of ${show(first)} and ${show(second)} is ${expected}`, () => {
      assert.equal(show(combineSnapshots('first-healthy', [first, second])), expected);
    });
  }
});

describe('uniteInstances', () => {
  it('keeps the first record of an id', () => {
    const [only, ...more] = uniteInstances([
      [instanceOf('a', { weight: 5 })],
      [instanceOf('a', { weight: 7 })],
    ]);
    assert.equal(only?.weight, 5);
    assert.deepEqual(more, []);
  });
});
