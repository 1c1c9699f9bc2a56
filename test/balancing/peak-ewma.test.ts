import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeakEwma } from '../../src/balancing/peak-ewma.ts';

describe('PeakEwma', () => {
  it('is unknown before the first observation', () => {
    assert.equal(new PeakEwma().readMs(0), undefined);
  });

  it('rises to a peak at once and falls slowly', () => {
    const latency = new PeakEwma();
    latency.observe(10, 0);
    latency.observe(200, 1);
    assert.equal(latency.readMs(1), 200);
    latency.observe(10, 1001);
    const later = latency.readMs(1001) ?? 0;
    assert.ok(later < 200 && later > 150, String(later));
  });

  it('forgets a slow past when nothing is observed', () => {
    const latency = new PeakEwma();
    latency.observe(1000, 0);
    assert.ok((latency.readMs(60_000) ?? Infinity) < 5);
  });
});
