// Which name is nearest to a misspelt one.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nearest } from '../../src/core/service-name.ts';

/** By the definition, with the whole table. */
function editDistance(a: string, b: string): number {
  const table = new Map<string, number>();
  const at = (i: number, j: number): number =>
    i < 0 || j < 0 ? Infinity : (table.get(`${i} ${j}`) ?? Infinity);
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const distance = Math.min(
        i + j === 0 ? 0 : Infinity,
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? at(i - 2, j - 2) + 1 : Infinity,
      );
      table.set(`${i} ${j}`, distance);
    }
  }
  return at(a.length, b.length);
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 24 });

describe('nearest', () => {
  it('has the smallest distance of all, if that is small', () => {
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 4 }), (text, candidates) => {
        const distances = candidates.map((candidate) => editDistance(text, candidate));
        const smallest = Math.min(...distances);
        const allowed = Math.min(6, Math.max(1, Math.floor(text.length / 3)));
        const expected = smallest <= allowed ? candidates[distances.indexOf(smallest)] : undefined;
        assert.equal(nearest(text, candidates), expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('does not look at all of ten thousand similar names', () => {
    let looked = 0;
    const names = function* (): Iterable<string> {
      for (looked = 1; looked <= 10_000; looked++) yield `x-${'long-name-'.repeat(5)}${looked}`;
    };
    nearest(`y-${'long-name-'.repeat(5)}zzzz`, names());
    assert.ok(looked < 2000, String(looked));
  });

  it('looks at all of thousands of different names', () => {
    const words = ['billing', 'orders', 'search', 'ledger', 'notify', 'gateway', 'tenant'];
    const names = words.flatMap((first) =>
      Array.from({ length: 500 }, (_, number) => `${first}-${number}`),
    );
    assert.equal(nearest('paymets-1', [...names, 'payments-1']), 'payments-1');
  });
});
