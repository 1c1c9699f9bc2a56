import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLocation } from '../../../../src/registry/drivers/etcd/location.ts';

describe('the URL of an etcd registry', () => {
  it('has defaults for all but the host', () => {
    assert.deepEqual(parseLocation('etcd://store'), {
      url: 'etcd://store',
      servers: [{ host: 'store', port: 2379 }],
      prefix: '/outrigger/services',
      ttlMs: 10_000,
      heartbeatMs: 3000,
    });
  });

  it('gives several members, user, password, prefix and times', () => {
    const location = parseLocation('etcd://app:p%40ss@a:1,[::1],b/my/%C3%BCber/?ttl=30s');
    assert.equal(location.url, 'etcd://app:***@a:1,[::1],b/my/%C3%BCber/?ttl=30s');
    assert.deepEqual(location.servers, [
      { host: 'a', port: 1 },
      { host: '::1', port: 2379 },
      { host: 'b', port: 2379 },
    ]);
    assert.deepEqual(location.login, { user: 'app', password: { kind: 'text', text: 'p@ss' } });
    assert.equal(location.prefix, '/my/über');
    assert.deepEqual([location.ttlMs, location.heartbeatMs], [30_000, 10_000]);
    assert.equal(location.tls, undefined);
    assert.deepEqual(parseLocation('etcds://a/').tls, {});
  });

  it('refuses what cannot work', () => {
    for (const [url, message] of [
      ['etcd:///prefix', /host is missing/],
      ['etcd://:secret@a', /password has no user/],
      ['etcd://user@a', /user has no password/],
      ['etcd://a/%zz', /percent-encoded/],
      ['etcd://a?ca=/x', /"ca" is unknown/],
      ['etcd://a?tll=3s', /did you mean "ttl"/],
      ['etcds://a?cert=/x', /cert and key/],
      ['etcd://a?ttl=3s&heartbeat=2s', /at most half/],
    ] as const) {
      assert.throws(() => parseLocation(url), { code: 'config_invalid', message });
    }
  });
});
