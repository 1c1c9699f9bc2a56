// The token bucket's arithmetic.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../src/registry/token-bucket.ts';

describe('TokenBucket', () => {
  it('gives its burst at once and then one token a second', () => {
    const bucket = new TokenBucket({ tokensPerSecond: 1, burst: 3 });
    const waits = [1, 2, 3, 4, 5].map(() => bucket.takeMs(1000));
    assert.deepEqual(waits, [0, 0, 0, 1000, 2000]);
  });

  it('fills up again to its burst and not beyond', () => {
    const bucket = new TokenBucket({ tokensPerSecond: 1, burst: 2 });
    bucket.takeMs(0);
    bucket.takeMs(0);
    assert.deepEqual(
      [1, 2, 3].map(() => bucket.takeMs(60_000)),
      [0, 0, 1000],
    );
  });

  it('never lets more than burst + rate · time tokens be used', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1500), { maxLength: 50 }), (gapsMs) => {
        const bucket = new TokenBucket({ tokensPerSecond: 1, burst: 3 });
        let nowMs = 0;
        const usedAtMs = gapsMs.map((gapMs) => {
          nowMs += gapMs;
          return nowMs + bucket.takeMs(nowMs);
        });
        for (const atMs of usedAtMs) {
          const window = usedAtMs.filter((t) => t > atMs - 10_000 && t <= atMs).length;
          assert.ok(window <= 13, `${window} in 10 s`);
        }
      }),
    );
  });
});
