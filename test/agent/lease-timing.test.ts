import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leaseTiming } from '../../src/agent/lease-timing.ts';

const capabilities = {
  ttlMs: 10_000,
  heartbeatMs: 3000,
  propagationMs: 1000,
  advertise: 'loopback',
  registers: true,
} as const;

describe('leaseTiming', () => {
  it("is the registry's own unless it is configured", () => {
    assert.deepEqual(leaseTiming({}, capabilities), {
      ttlMs: 10_000,
      heartbeatMs: 3000,
    });
    const given = { ttlMs: 6000, heartbeatMs: 1000 };
    assert.deepEqual(leaseTiming(given, capabilities), { ttlMs: 6000, heartbeatMs: 1000 });
  });

  it('refuses a heartbeat that comes after the end of the lease', () => {
    assert.throws(() => leaseTiming({ heartbeatMs: 10_000 }, capabilities), {
      code: 'config_invalid',
      message: "--heartbeat 10s: must be shorter than the registry's TTL of 10s",
    });
  });
});
