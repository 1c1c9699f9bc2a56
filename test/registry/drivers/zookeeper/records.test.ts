// The contents of nodes: what ordinary users of each format find in ours, and what we make of theirs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import { curator } from '../../../../src/registry/drivers/zookeeper/formats/curator.ts';
import { nerve } from '../../../../src/registry/drivers/zookeeper/formats/nerve.ts';
import { serverset } from '../../../../src/registry/drivers/zookeeper/formats/serverset.ts';
import { decodeRecord, encodeRecord } from '../../../../src/registry/drivers/zookeeper/records.ts';

const instance: Instance = {
  service: 'payments',
  id: 'a/ü\u0000',
  host: '10.0.0.1',
  port: 80,
  weight: 2.5,
  tags: ['v2'],
  meta: { team: 'billing' },
  zone: 'eu-1a',
  startedAtMs: 1_700_000_000_123,
};

function written(format: typeof curator, leaving = false): Record<string, unknown> {
  const data = encodeRecord(format, instance, leaving);
  const { outrigger, ...native } = JSON.parse(data.toString()) as Record<string, unknown>;
  assert.ok(outrigger);
  return native;
}

function read(format: typeof curator, node: string, record: unknown): Instance | undefined {
  const data = Buffer.from(JSON.stringify(record));
  const decoded = decodeRecord(format, 'payments', node, data);
  return decoded?.serving === true ? decoded.instance : undefined;
}

describe('records in ZooKeeper', () => {
  it('of each format give back our instance, and say when it is leaving', () => {
    for (const format of [curator, serverset, nerve]) {
      const data = encodeRecord(format, instance, false);
      assert.deepEqual(decodeRecord(format, 'payments', 'n', data), { instance, serving: true });
      const farewell = encodeRecord(format, instance, true);
      assert.deepEqual(decodeRecord(format, 'payments', 'n', farewell), {
        instance,
        serving: false,
      });
    }
  });

  it('are no instances when they are too long or not JSON', () => {
    const long = Buffer.from(JSON.stringify({ host: 'a', port: 1, x: 'x'.repeat(70_000) }));
    assert.equal(decodeRecord(nerve, 'payments', 'n', long), undefined);
    for (const text of ['', 'null', '[]', '"x"', '{', '{"address":"h"}']) {
      assert.equal(decodeRecord(curator, 'payments', 'n', Buffer.from(text)), undefined, text);
    }
  });

  it('of Curator have its fields', () => {
    const { uriSpec, ...fields } = written(curator);
    assert.ok(uriSpec);
    assert.deepEqual(fields, {
      name: 'payments',
      id: 'a/ü\u0000',
      address: '10.0.0.1',
      port: 80,
      sslPort: null,
      payload: null,
      registrationTimeUTC: 1_700_000_000_123,
      serviceType: 'DYNAMIC',
    });
    const springs = {
      name: 'payments',
      id: 'b',
      address: 'host',
      port: null,
      sslPort: 443,
      payload: {
        '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
        metadata: { zone: 'z', version: '2', weight: '3' },
      },
      registrationTimeUTC: 5,
    };
    assert.deepEqual(read(curator, 'b', springs), {
      service: 'payments',
      id: 'b',
      host: 'host',
      port: 443,
      weight: 3,
      tags: [],
      meta: { zone: 'z', version: '2', weight: '3' },
      zone: 'z',
      version: '2',
      startedAtMs: 5,
    });
    assert.equal(read(curator, 'b', { ...springs, enabled: false }), undefined);
  });

  it('of serversets have their fields', () => {
    assert.deepEqual(written(serverset), {
      serviceEndpoint: { host: '10.0.0.1', port: 80 },
      additionalEndpoints: {},
      status: 'ALIVE',
      shard: 0,
      metadata: { team: 'billing' },
    });
    assert.equal(written(serverset, true)['status'], 'STOPPING');
    const member = { serviceEndpoint: { host: 'h', port: 1 }, status: 'ALIVE' };
    assert.equal(read(serverset, 'member_0000000003', member)?.id, 'member_0000000003');
    assert.equal(read(serverset, 'member_1', { ...member, status: 'DEAD' }), undefined);
    assert.equal(serverset.isInstance('lock_1'), false);
  });

  it('of Nerve have its fields', () => {
    assert.deepEqual(written(nerve), {
      host: '10.0.0.1',
      port: 80,
      name: 'a/ü\u0000',
      weight: 3,
      labels: { team: 'billing' },
    });
    const theirs = { host: 'h', port: 1, name: 'i-123', weight: '7', labels: { az: 'a', n: 1 } };
    assert.deepEqual(read(nerve, 'i-123_0000000001', theirs), {
      service: 'payments',
      id: 'i-123_0000000001',
      host: 'h',
      port: 1,
      weight: 7,
      tags: [],
      meta: { az: 'a' },
      zone: 'a',
    });
  });
});
