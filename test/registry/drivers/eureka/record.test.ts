import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import { parseList, statusHash } from '../../../../src/registry/drivers/eureka/answers.ts';
import {
  eurekaIdOf,
  formatRecord,
  parseRecord,
} from '../../../../src/registry/drivers/eureka/record.ts';
import { entryOf, listText } from './fixture.ts';

const instance: Instance = {
  service: 'payments',
  id: 'payments-10.0.0.7-8080-ab12',
  host: '10.0.0.7',
  port: 8080,
  weight: 3,
  tags: ['canary', 'v2'],
  meta: { team: 'billing', 'a b': '"\n\u0000\uFFFF☃', outrigger: 'mine' },
  version: '1.2.3',
  zone: 'eu-1a',
  startedAtMs: 1_700_000_000_123,
};
const options = { ttlMs: 90_000, heartbeatMs: 30_000, writtenAtMs: 5 };

function written(given: Instance): Record<string, unknown> & { metadata: Record<string, string> } {
  const { instance: entry } = JSON.parse(formatRecord(given, options)) as {
    instance: Record<string, unknown> & { metadata: Record<string, string> };
  };
  return entry;
}

function foreign(parts: Record<string, unknown>): Instance | undefined {
  return parseRecord(entryOf('host-1', parts), undefined, false)?.instance;
}

describe('a record that we write', () => {
  it('has the fields that users of Eureka expect', () => {
    const { metadata, dataCenterInfo, ...entry } = written(instance);
    assert.deepEqual(entry, {
      instanceId: instance.id,
      app: 'PAYMENTS',
      hostName: '10.0.0.7',
      ipAddr: '10.0.0.7',
      vipAddress: 'payments',
      secureVipAddress: 'payments',
      status: 'UP',
      port: { $: 8080, '@enabled': 'true' },
      securePort: { $: 443, '@enabled': 'false' },
      homePageUrl: 'http://10.0.0.7:8080/',
      statusPageUrl: 'http://10.0.0.7:8080/',
      healthCheckUrl: 'http://10.0.0.7:8080/',
      // Half of the lease time, as servers double it.
      leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 45 },
      lastDirtyTimestamp: '5',
    });
    assert.deepEqual(dataCenterInfo, {
      '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
      name: 'MyOwn',
    });
    assert.deepEqual(Object.keys(metadata).sort(), [
      'outrigger',
      'tags',
      'team',
      'version',
      'weight',
      'zone',
    ]);
  });

  it('has metadata that is safe in XML, and the rest in our own field only', () => {
    const { outrigger, ...metadata } = written(instance).metadata;
    assert.deepEqual(metadata, {
      team: 'billing',
      tags: 'canary,v2',
      weight: '3',
      version: '1.2.3',
      zone: 'eu-1a',
    });
    assert.match(outrigger ?? '', /^[ -~]+$/);
  });

  it('gives back the whole instance, whatever its id', () => {
    for (const id of [instance.id, '../../etc/passwd', '..', ' ', 'x:y{z}*?[', 'ü-☃']) {
      const given = { ...instance, id };
      assert.deepEqual(parseRecord(written(given), undefined, false)?.instance, given);
    }
  });

  it('shows https in the secure port, and URLs that the metadata names', () => {
    const meta = { protocol: 'https', healthCheckUrl: 'https://10.0.0.7:8080/up' };
    const entry = written({ ...instance, meta });
    assert.deepEqual(entry['port'], { $: 8080, '@enabled': 'false' });
    assert.deepEqual(entry['securePort'], { $: 8080, '@enabled': 'true' });
    assert.equal(entry['homePageUrl'], 'https://10.0.0.7:8080/');
    assert.equal(entry['healthCheckUrl'], meta.healthCheckUrl);
  });

  it('has an id that is safe in a path', () => {
    const ids = ['a', 'A', '..', '.', '~a', '%2e', 'a/b', ' ', 'h:app:80'].map(eurekaIdOf);
    for (const id of ids) assert.match(id, /^(?!\.+$)[\w.:~-]+$/);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.at(-1), 'h:app:80');
  });
});

describe('a record of another client', () => {
  it('is read from its native fields', () => {
    const metadata = {
      zone: 'b',
      version: '2',
      weight: '5',
      tags: 'x, y',
      'management.port': 9000,
    };
    assert.deepEqual(foreign({ metadata }), {
      service: 'payments',
      id: 'host-1',
      host: 'host-1',
      port: 8080,
      weight: 5,
      tags: ['x', 'y'],
      meta: { 'management.port': '9000' },
      version: '2',
      zone: 'b',
    });
  });

  it('may have ports as texts, no instanceId, no leaseInfo and an empty metadata class', () => {
    const record = parseRecord(
      entryOf('host-1', { instanceId: undefined, port: { $: '7001', '@enabled': true } }),
      undefined,
      false,
    );
    assert.equal(record?.id, 'host-1');
    assert.equal(record.instance?.port, 7001);
    assert.deepEqual(record.instance.meta, {});
    assert.equal(record.lease, undefined);
  });

  it('is called at its secure port when that is enabled', () => {
    const read = foreign({ securePort: { $: 8443, '@enabled': 'true' } });
    assert.equal(read?.port, 8443);
    assert.deepEqual(read.meta, { protocol: 'https' });
  });

  it('is called at its IP address when its host name is none', () => {
    assert.equal(foreign({ hostName: 'my host' })?.host, '10.0.0.1');
  });

  it('is no instance without an enabled port, without a host, or with too much metadata', () => {
    assert.equal(foreign({ port: { $: 8080, '@enabled': 'false' } }), undefined);
    assert.equal(foreign({ port: { $: -1, '@enabled': 'true' } }), undefined);
    assert.equal(foreign({ hostName: 'my host', ipAddr: 'an address' }), undefined);
    assert.equal(foreign({ metadata: { a: 'x'.repeat(20_000) } }), undefined);
  });

  it('does not become another instance by a copy of our field', () => {
    const { outrigger } = written(instance).metadata;
    assert.equal(foreign({ metadata: { outrigger } })?.host, 'host-1');
    assert.equal(foreign({ metadata: { outrigger: '{' } })?.host, 'host-1');
  });

  it('is found under each of its VIP addresses where these name services', () => {
    const record = parseRecord(entryOf('h', { vipAddress: 'Pay, billing' }), undefined, true);
    assert.deepEqual(record?.services, ['pay', 'billing']);
    assert.equal(parseRecord(entryOf('h', { vipAddress: undefined }), undefined, true), undefined);
  });
});

describe('a list', () => {
  it('may have one element in place of an array', () => {
    const text = JSON.stringify({
      applications: { application: { name: 'PAYMENTS', instance: entryOf('a') } },
    });
    assert.deepEqual(
      parseList(text, false).records.map(({ id }) => id),
      ['a'],
    );
  });

  it('may be of one application', () => {
    const text = JSON.stringify({ application: { name: 'X', instance: [entryOf('a')] } });
    assert.equal(parseList(text, false).records.length, 1);
  });

  it('is empty only when the server says so', () => {
    assert.deepEqual(parseList(listText([], ''), false), { records: [], hash: '' });
    for (const text of ['', '{}', 'null', '[]', '<applications/>', '{"applications":null}']) {
      assert.throws(() => parseList(text, false), { code: 'registry_invalid' }, text);
    }
  });

  it('is checked by the numbers of each status, in alphabetical order', () => {
    const counts = new Map([
      ['UP', 12],
      ['DOWN', 1],
      ['STARTING', 0],
    ]);
    assert.equal(statusHash(counts), 'DOWN_1_UP_12_');
  });
});
