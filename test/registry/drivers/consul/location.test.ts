import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseLocation } from '../../../../src/registry/drivers/consul/location.ts';
import { passwordOf } from '../../../../src/registry/password.ts';

const directory = mkdtempSync(join(tmpdir(), 'outrigger-location-'));
const tokenFile = join(directory, 'token');
writeFileSync(tokenFile, 'from a file\n');
after(() => {
  rmSync(directory, { recursive: true });
});

describe('the URL of a Consul registry', () => {
  it('has defaults for all but the host', () => {
    assert.deepEqual(parseLocation('consul://agent'), {
      url: 'consul://agent',
      server: { host: 'agent', port: 8500 },
      token: { kind: 'none' },
      tenancy: {},
      stale: false,
      ttlMs: 30_000,
      heartbeatMs: 10_000,
      check: 'ttl',
      checkPath: '/',
      checkIntervalMs: 10_000,
      deregisterAfterMs: 60_000,
      waitMs: 10_000,
    });
  });

  it('gives everything', () => {
    const text =
      'consul://s3cr%40t@[::1]:8510?dc=east&ns=team&partition=p1&tag=live&stale=1&ttl=9s' +
      '&check=both&check-path=/healthz?x&check-interval=5s&deregister-after=10m&wait=2m';
    assert.deepEqual(parseLocation(text), {
      url: text.replace('s3cr%40t', '***'),
      server: { host: '::1', port: 8510 },
      token: { kind: 'text', text: 's3cr@t' },
      tenancy: { ns: 'team', partition: 'p1' },
      datacenter: 'east',
      tag: 'live',
      stale: true,
      ttlMs: 9000,
      heartbeatMs: 3000,
      check: 'both',
      checkPath: '/healthz?x',
      checkIntervalMs: 5000,
      deregisterAfterMs: 600_000,
      waitMs: 120_000,
    });
  });

  it('takes the token as user, as password or from a file', () => {
    const tokenOf = (text: string): string | undefined => passwordOf(parseLocation(text).token);
    assert.equal(tokenOf('consul://abc@agent'), 'abc');
    assert.equal(tokenOf('consul://:abc@agent'), 'abc');
    assert.equal(tokenOf(`consul://agent?token-file=${tokenFile}`), 'from a file');
    assert.throws(() => tokenOf(`consul://abc@agent?token-file=${tokenFile}`), /not both/);
    assert.throws(() => tokenOf('consul://user:abc@agent'), /a token has no user/);
    assert.throws(() => tokenOf('consul://agent?token-file=/nowhere'), /token-file: ENOENT/);
  });

  it('has TLS and unix sockets', () => {
    const secure = parseLocation(`consul+https://agent?ca=${tokenFile}`);
    assert.deepEqual(secure.server, { host: 'agent', port: 8501 });
    assert.deepEqual(secure.tls, { ca: 'from a file\n' });
    assert.equal(
      parseLocation('consul+unix:///run/con%20sul.sock').socketPath,
      '/run/con sul.sock',
    );
    assert.throws(() => parseLocation('consul://agent?ca=x'), /"ca" is unknown/);
  });

  for (const [text, problem] of [
    ['consul://', /the host is missing/],
    ['consul://a,b', /give one host/],
    ['consul://a/path', /there is no path/],
    ['consul://a?tags=x', /did you mean "tag"/],
    ['consul://a?check=script', /check must be ttl, http or both/],
    ['consul://a?check-path=x', /must begin with/],
    ['consul://a?check-interval=10ms', /at least 1s/],
    ['consul://a?deregister-after=10s', /at least 1m/],
    ['consul://a?wait=1h', /between 1s and 10m/],
    ['consul://a?ttl=3s&heartbeat=2s', /at most half of ttl/],
    ['consul+unix://run/x.sock', /must be consul\+unix/],
  ] as const) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parseLocation(text), problem);
    });
  }
});
