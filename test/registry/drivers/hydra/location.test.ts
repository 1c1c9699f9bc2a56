import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLocation } from '../../../../src/registry/drivers/hydra/location.ts';

describe('the URL of a Hydra fleet', () => {
  it("has Hydra's own times, and its database for a URL without one", () => {
    assert.deepEqual(parseLocation('hydra+redis://cache'), {
      url: 'hydra+redis://cache',
      host: 'cache',
      port: 6379,
      database: 0,
      password: { kind: 'none' },
      ttlMs: 3000,
      heartbeatMs: 1000,
    });
  });

  it('gives user, password, port, database and times', () => {
    const location = parseLocation('hydra+redis://app:p%40ss@[::1]:7000/15?ttl=9s');
    assert.equal(location.url, 'hydra+redis://app:***@[::1]:7000/15?ttl=9s');
    assert.equal(location.host, '::1');
    assert.equal(location.port, 7000);
    assert.equal(location.database, 15);
    assert.equal(location.user, 'app');
    assert.deepEqual(location.password, { kind: 'text', text: 'p@ss' });
    assert.equal(location.ttlMs, 9000);
    assert.equal(location.heartbeatMs, 3000);
  });

  it('uses TLS with rediss', () => {
    assert.deepEqual(parseLocation('hydra+rediss://cache').tls, {});
    assert.equal(parseLocation('hydra+redis://cache').tls, undefined);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['hydra+redis+cluster://a:7000,b:7000', /Hydra cannot use a Redis Cluster.*hydra\+redis:/],
    ['hydra+redis+sentinel://a,b/main', /Hydra knows no Sentinels.*address of the master/],
    ['hydra+http://cache', /scheme must be hydra\+redis or hydra\+rediss/],
    ['hydra+redis://a,b/15', /exactly one host/],
    ['hydra+redis:///15', /host is missing/],
    ['hydra+redis://cache/one', /database number/],
    ['hydra+redis://cache?prefix=x', /"prefix" is unknown/],
    ['hydra+redis://cache?ca=/etc/ca', /"ca" is unknown/],
    ['hydra+redis://app@cache', /user has no password/],
    ['hydra+redis://cache?ttl=3s&heartbeat=2s', /at most half of ttl/],
  ];
  for (const [text, expected] of wrong) {
    it(`is refused when it is ${text}`, () => {
      assert.throws(() => parseLocation(text), { code: 'config_invalid', message: expected });
    });
  }
});
