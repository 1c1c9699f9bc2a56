import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeakEwma } from '../../src/balancing/peak-ewma.ts';

/** One that has answered in 10 ms each time until now, at time 0. */
function settled(): PeakEwma {
  const latency = new PeakEwma();
  for (let reply = 0; reply < 10; reply++) latency.observe(10, 0);
  return latency;
}

describe('PeakEwma', () => {
  it('is unknown before there were some observations, and forgets how long the first took', () => {
    const latency = new PeakEwma();
    assert.equal(latency.readMs(0), undefined);
    for (let reply = 1; reply < 10; reply++) latency.observe(500, 0);
    assert.equal(latency.readMs(0), undefined);
    latency.observe(10, 0);
    assert.equal(latency.readMs(0), 10);
  });

  it('rises within a second and falls slowly', () => {
    const latency = settled();
    for (let nowMs = 100; nowMs <= 2000; nowMs += 100) latency.observe(200, nowMs);
    const risen = latency.readMs(2000) ?? 0;
    assert.ok(risen > 170, String(risen));
    for (let nowMs = 2100; nowMs <= 4000; nowMs += 100) latency.observe(10, nowMs);
    const later = latency.readMs(4000) ?? 0;
    assert.ok(later < risen && later > 120, String(later));
  });

  it('is hardly moved by one slow reply among many', () => {
    const latency = settled();
    for (let nowMs = 20; nowMs <= 1000; nowMs += 20) latency.observe(10, nowMs);
    latency.observe(200, 1020);
    assert.ok((latency.readMs(1020) ?? Infinity) < 15);
  });

  it('forgets a slow past when nothing is observed', () => {
    const latency = settled();
    latency.observe(1000, 10_000);
    assert.ok((latency.readMs(70_000) ?? Infinity) < 5);
  });
});
