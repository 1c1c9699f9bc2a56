// Properties that every balancing policy has, and the one that makes each what it is.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { balancers, type BalancerName } from '../../src/balancing/balancers.ts';
import { Candidates, type Candidate } from '../../src/balancing/candidates.ts';
import { seededRandom } from '../support/seeded-random.ts';

interface TestCandidate extends Candidate {
  readonly name: number;
}

function candidate(name: number, weight = 1, outstanding = 0, latency?: number): TestCandidate {
  return { name, weight, outstanding, latencyMs: () => latency };
}

/** How often each candidate is picked. */
function shares(policy: BalancerName, all: readonly TestCandidate[], picks: number): number[] {
  const balancer = balancers[policy](seededRandom(7));
  const candidates = new Candidates(all);
  const counts = all.map(() => 0);
  for (let pick = 0; pick < picks; pick++) {
    const picked = balancer.pick(candidates, 0);
    assert.ok(picked);
    counts[picked.name] = (counts[picked.name] ?? 0) + 1;
  }
  return counts.map((count) => count / picks);
}

const policies = Object.keys(balancers) as BalancerName[];

for (const policy of policies) {
  describe(policy, () => {
    it('picks nothing from nothing', () => {
      const balancer = balancers[policy](seededRandom(1));
      assert.equal(balancer.pick(new Candidates<TestCandidate>([]), 0), undefined);
      assert.equal(balancer.pick(new Candidates([candidate(0, 0)]), 0), undefined);
    });

    it('spreads idle candidates in proportion to their weights, none to weight 0', () => {
      const weight = fc.constantFrom<number>(0, 1, 2, 5);
      const weights = fc.array(weight, { minLength: 1, maxLength: 6 });
      fc.assert(
        fc.property(weights, (list) => {
          const total = list.reduce((sum, one) => sum + one, 0);
          fc.pre(total > 0);
          const counts = shares(
            policy,
            list.map((one, name) => candidate(name, one)),
            4000,
          );
          for (const [name, share] of counts.entries()) {
            const expected = (list[name] ?? 0) / total;
            assert.ok(
              Math.abs(share - expected) < 0.05,
              `${policy} ${list.join()}: ${counts.join()}`,
            );
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}

describe('p2c', () => {
  it('prefers the shorter queue and the faster instance', () => {
    const [busy = 1, idle = 0] = shares('p2c', [candidate(0, 1, 10), candidate(1, 1, 0)], 1000);
    assert.ok(idle > 0.9 && busy < 0.1, 'queue');
    const [slow = 1, fast = 0] = shares(
      'p2c',
      [candidate(0, 1, 0, 80), candidate(1, 1, 0, 2)],
      1000,
    );
    assert.ok(fast > 0.9 && slow < 0.1, 'latency');
  });

  it('takes latencies that are alike for the same', () => {
    for (const other of [3, 0.5]) {
      const [one = 0] = shares('p2c', [candidate(0, 1, 0, 1), candidate(1, 1, 0, other)], 2000);
      assert.ok(Math.abs(one - 0.5) < 0.05, `1 ms and ${other} ms: ${one}`);
    }
    const [slow = 1] = shares('p2c', [candidate(0, 1, 1, 50), candidate(1, 1, 0, 90)], 1000);
    assert.ok(slow < 0.1, 'the longer queue, though less than twice as fast');
    const [much = 1] = shares('p2c', [candidate(0, 1, 0, 90), candidate(1, 1, 0, 40)], 1000);
    assert.ok(much < 0.1, 'more than twice as slow');
  });

  it('compares queues in proportion to the weights', () => {
    const [light = 1] = shares('p2c', [candidate(0, 1, 4), candidate(1, 4, 8)], 1000);
    assert.ok(light < 0.1, 'the light one holds more than its share');
  });

  it('does not flood an instance that has not answered yet', () => {
    const [fresh = 1] = shares('p2c', [candidate(0, 1, 9), candidate(1, 1, 0, 500)], 1000);
    assert.ok(fresh < 0.1);
  });
});

describe('round-robin', () => {
  it('takes equal weights in order', () => {
    const balancer = balancers['round-robin']();
    const candidates = new Candidates([candidate(0), candidate(1), candidate(2)]);
    const names = [0, 1, 2, 3, 4, 5].map(() => balancer.pick(candidates, 0)?.name);
    assert.deepEqual(names, [0, 1, 2, 0, 1, 2]);
  });
});

describe('Candidates', () => {
  it('covers every member and only members at every position', () => {
    const positions = fc.double({ min: 0, max: 0.999_999_999, noNaN: true });
    const weights = fc.array(fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(weights, positions, positions, (list, first, second) => {
        const candidates = new Candidates(list.map((weight, name) => candidate(name, weight)));
        const { length } = candidates.members;
        const index = candidates.indexAt(first);
        assert.equal(candidates.members[index] === undefined, length === 0);
        if (length < 2) return;
        const other = candidates.indexOfOther(index, () => second);
        assert.ok(other !== index && candidates.members[other] !== undefined);
      }),
    );
  });
});
