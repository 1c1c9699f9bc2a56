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

  it('refuses a heartbeat that leaves no second try in the lease of the registry', () => {
    assert.throws(() => leaseTiming({ heartbeatMs: 6000 }, capabilities), {
      code: 'config_invalid',
      message:
        "--heartbeat with the registry's own ttl: heartbeat must be at most half of ttl, but is 6s of 10s",
    });
  });
});
