import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { advertisedAddress } from '../../src/agent/advertise.ts';
import { describeInstance, newBootId } from '../../src/agent/local-service.ts';

describe('advertisedAddress', () => {
  it('is what was configured, with the port of the app unless another is given', () => {
    const advertise = { host: 'pay.example' };
    assert.deepEqual(advertisedAddress({ port: 8080, advertise }, 'loopback'), {
      host: 'pay.example',
      port: 8080,
    });
    const mapped = { port: 8080, advertise: { host: '::1', port: 18_080 } };
    assert.deepEqual(advertisedAddress(mapped, 'loopback'), { host: '::1', port: 18_080 });
  });

  it("follows the registry's habit otherwise", () => {
    assert.equal(advertisedAddress({ port: 1 }, 'loopback').host, '127.0.0.1');
    const outside = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, address }) => !internal && !/^(169\.254\.|fe[89ab])/i.test(address))
      .map(({ address }) => address);
    const { host } = advertisedAddress({ port: 1 }, 'first-address');
    assert.ok(outside.length === 0 ? host === '127.0.0.1' : outside.includes(host), host);
  });
});

describe('describeInstance', () => {
  const service = {
    ...{ name: 'payments', port: 8080, tags: ['v2'], meta: { team: 'x' }, weight: 2, zone: 'a' },
    ...{ probes: [], health: { intervalMs: 1, timeoutMs: 1, rise: 1, fall: 1, startPeriodMs: 0 } },
  };

  it('has an id that is new for each process, or the configured one', () => {
    const boot = { bootId: newBootId(), startedAtMs: 5 };
    const instance = describeInstance(service, { host: '::1', port: 8080 }, boot);
    assert.equal(instance.id, `payments---1-8080-${boot.bootId}`);
    assert.match(boot.bootId, /^[0-9a-f]{8}$/);
    assert.notEqual(newBootId(), newBootId());
    const fixed = { ...service, id: 'payments-7' };
    assert.equal(describeInstance(fixed, { host: 'h', port: 1 }, boot).id, 'payments-7');
  });

  it('carries what was configured', () => {
    const boot = { bootId: 'b', startedAtMs: 5 };
    const { tags, meta, weight, zone, host, port } = describeInstance(
      service,
      { host: '10.0.0.1', port: 9 },
      boot,
    );
    assert.deepEqual(
      { tags, meta, weight, zone, host, port },
      {
        ...{ tags: ['v2'], meta: { team: 'x' }, weight: 2, zone: 'a' },
        ...{ host: '10.0.0.1', port: 9 },
      },
    );
  });
});
