import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseLocation } from '../../../../src/registry/drivers/redis/location.ts';
import { passwordOf } from '../../../../src/registry/password.ts';

const directory = mkdtempSync(join(tmpdir(), 'outrigger-location-'));
const secretFile = join(directory, 'password');
writeFileSync(secretFile, 'from a file\n');
after(() => {
  rmSync(directory, { recursive: true });
});

describe('the URL of a Redis registry', () => {
  it('has defaults for all but the host', () => {
    assert.deepEqual(parseLocation('redis://cache'), {
      url: 'redis://cache',
      host: 'cache',
      port: 6379,
      database: 0,
      password: { kind: 'none' },
      prefix: 'sd',
      ttlMs: 10_000,
      heartbeatMs: 3000,
    });
  });

  it('gives user, password, port, database, prefix and times', () => {
    const text = 'redis://app:p%40ss@[::1]:7000/3?prefix=my:sd&ttl=9s';
    const location = parseLocation(text);
    assert.equal(location.url, 'redis://app:***@[::1]:7000/3?prefix=my:sd&ttl=9s');
    assert.equal(location.host, '::1');
    assert.equal(location.port, 7000);
    assert.equal(location.database, 3);
    assert.equal(location.user, 'app');
    assert.deepEqual(location.password, { kind: 'text', text: 'p@ss' });
    assert.equal(location.prefix, 'my:sd');
    assert.equal(location.ttlMs, 9000);
    assert.equal(location.heartbeatMs, 3000);
    assert.equal(parseLocation(`${text}&heartbeat=1s`).heartbeatMs, 1000);
  });

  it('reads the password file anew each time', () => {
    const { password } = parseLocation(`redis://app@cache?password-file=${secretFile}`);
    assert.equal(passwordOf(password), 'from a file');
    writeFileSync(secretFile, 'rotated');
    assert.equal(passwordOf(password), 'rotated');
  });

  it('reads the TLS files', () => {
    const pem = join(directory, 'pem');
    writeFileSync(pem, 'PEM');
    const text = `rediss://cache?ca=${pem}&cert=${pem}&key=${pem}&servername=redis.internal`;
    assert.deepEqual(parseLocation(text).tls, {
      ca: 'PEM',
      cert: 'PEM',
      key: 'PEM',
      servername: 'redis.internal',
    });
    assert.deepEqual(parseLocation('rediss://cache').tls, {});
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['redis+tls://cache', /scheme must be redis or rediss/],
    ['redis:///1', /host is missing/],
    ['redis://cache/one', /database number/],
    ['redis://cache/1/2', /database number/],
    ['redis://app@cache', /user has no password/],
    ['redis://:a%zz@cache', /percent-encoded/],
    ['redis://:se#cret@cache', /not a valid URL|host is missing|must be written as %23/],
    [`redis://:x@cache?password-file=${secretFile}`, /not both/],
    ['redis://cache?password-file=/nowhere/at/all', /password-file: ENOENT/],
    ['redis://cache?tll=3s', /did you mean "ttl"/],
    ['redis://cache?ca=/etc/ca', /"ca" is unknown/],
    ['rediss://cache?cert=/nowhere', /need each other/],
    ['redis://cache?prefix={x}', /prefix may have/],
    ['redis://cache?ttl=3s&heartbeat=2s', /at most half of ttl/],
  ];
  for (const [text, expected] of wrong) {
    it(`is refused when it is ${text.replace(directory, '')}`, () => {
      assert.throws(() => parseLocation(text), { code: 'config_invalid', message: expected });
    });
  }

  it('never shows the password in an error', () => {
    for (const text of ['redis://:hush@cache/x', 'redis://:hu#sh@cache', 'redis://:hush@']) {
      assert.throws(
        () => parseLocation(text),
        (error: Error) => !/hu#?sh/.test(error.message),
      );
    }
  });
});
