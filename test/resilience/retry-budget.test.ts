import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RetryBudget } from '../../src/resilience/retry-budget.ts';

describe('RetryBudget', () => {
  it('allows a few retries without traffic, and no more until time passes', () => {
    const budget = new RetryBudget({ ratio: 0.2, perSecondMin: 10 });
    const granted = Array.from({ length: 20 }, () => budget.withdraw(0)).filter(Boolean);
    assert.equal(granted.length, 10);
    assert.equal(budget.withdraw(50), false);
    assert.equal(budget.withdraw(100), true);
  });

  it('lets a service that always fails get at most 1.25 times its load', () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 3000 }), (requestsPerSecond) => {
        const budget = new RetryBudget({ ratio: 0.2, perSecondMin: 10 });
        let retries = 0;
        const seconds = 20;
        for (let request = 0; request < requestsPerSecond * seconds; request++) {
          const nowMs = (request / requestsPerSecond) * 1000;
          budget.deposit(nowMs);
          if (budget.withdraw(nowMs)) retries++;
          if (budget.withdraw(nowMs)) retries++;
        }
        assert.ok(retries / (requestsPerSecond * seconds) <= 0.25);
      }),
      { numRuns: 20 },
    );
  });

  it('lets deposits fade', () => {
    const budget = new RetryBudget({ ratio: 1, perSecondMin: 0 });
    for (let request = 0; request < 100; request++) budget.deposit(0);
    assert.equal(budget.left(0), 100);
    assert.equal(budget.left(60_000), 0);
  });
});
