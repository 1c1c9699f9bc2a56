import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLocation } from '../../../../src/registry/drivers/eureka/location.ts';

describe('the URL of a Eureka registry', () => {
  it('has defaults for all but the host', () => {
    assert.deepEqual(parseLocation('eureka://discovery'), {
      url: 'eureka://discovery',
      servers: [{ host: 'discovery', port: 8761 }],
      path: '/eureka',
      user: '',
      password: { kind: 'none' },
      vip: false,
      pollMs: 10_000,
      ttlMs: 90_000,
      heartbeatMs: 30_000,
    });
  });

  it('gives servers, path, user, password, zone, names and times', () => {
    const text =
      'eureka://app:p%40ss@a,b:9000/eureka/v2/?zone=eu-1a&vip&poll=5s&ttl=60s&heartbeat=15s';
    const { url, servers, path, ...rest } = parseLocation(text);
    assert.equal(url, text.replace('p%40ss', '***'));
    assert.deepEqual(servers, [
      { host: 'a', port: 8761 },
      { host: 'b', port: 9000 },
    ]);
    assert.equal(path, '/eureka/v2');
    assert.deepEqual(rest, {
      user: 'app',
      password: { kind: 'text', text: 'p@ss' },
      zone: 'eu-1a',
      vip: true,
      pollMs: 5000,
      ttlMs: 60_000,
      heartbeatMs: 15_000,
    });
  });

  it('uses TLS with eureka+https only', () => {
    assert.deepEqual(parseLocation('eureka+https://a?servername=b').tls, { servername: 'b' });
    assert.throws(() => parseLocation('eureka://a?servername=b'), /"servername" is unknown/);
  });

  it('refuses what cannot work', () => {
    assert.throws(() => parseLocation('eureka://a?pol=1s'), /did you mean "poll"/);
    assert.throws(() => parseLocation('eureka://a?poll=0s'), /poll must be more than 0/);
    assert.throws(() => parseLocation('eureka://a?ttl=10s&heartbeat=9s'), /at most half of ttl/);
    assert.throws(() => parseLocation('http://a'), /scheme must be eureka/);
  });
});
