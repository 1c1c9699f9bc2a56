import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  parseClusterLocation,
  parseLocation,
  parseSentinelLocation,
} from '../../../../src/registry/drivers/redis/location.ts';
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

describe('the URL of Redis servers behind Sentinel', () => {
  it('names the Sentinels and the primary', () => {
    const { sentinels, primaryName, database, sentinelAccess, url } = parseSentinelLocation(
      'redis+sentinel://app:pw@s1,s2:5000,[::1]/my%20main?ttl=9s',
    );
    assert.equal(url, 'redis+sentinel://app:***@s1,s2:5000,[::1]/my%20main?ttl=9s');
    assert.deepEqual(sentinels, [
      { host: 's1', port: 26_379 },
      { host: 's2', port: 5000 },
      { host: '::1', port: 26_379 },
    ]);
    assert.equal(primaryName, 'my main');
    assert.equal(database, 0);
    assert.deepEqual(sentinelAccess, { database: 0, password: { kind: 'none' } });
  });

  it('has credentials for both, a database and TLS for all', () => {
    const query = `?password-file=${secretFile}&sentinel-user=eye&sentinel-password-file=${secretFile}`;
    const location = parseSentinelLocation(`rediss+sentinel://app@s1/main/3${query}`);
    const password = { kind: 'file', path: secretFile };
    assert.equal(location.user, 'app');
    assert.deepEqual(location.password, password);
    assert.equal(location.database, 3);
    assert.deepEqual(location.tls, {});
    assert.deepEqual(location.sentinelAccess, { database: 0, user: 'eye', password, tls: {} });
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['redis+sentinel://s1,s2', /primary's name/],
    ['redis+sentinel://s1/', /primary's name/],
    ['redis+sentinel://s1/main/x', /database number/],
    ['redis+sentinel://s1/%zz', /percent-encoded/],
    ['redis+sentinel://s1,/main', /host is missing/],
    ['redis+sentinel://s1/main?sentinel-user=eye', /needs sentinel-password-file/],
    ['redis+sentinel://s1/main?sentinel-password-file=/nowhere', /sentinel-password-file: ENOENT/],
    ['redis+sentinel://s1/main?sentinel-pasword-file=x', /did you mean "sentinel-password-file"/],
    ['redis+sentinel://s1/main?ca=x', /"ca" is unknown/],
  ];
  for (const [text, expected] of wrong) {
    it(`is refused when it is ${text}`, () => {
      assert.throws(() => parseSentinelLocation(text), {
        code: 'config_invalid',
        message: expected,
      });
    });
  }
});

describe('the URL of a Redis Cluster', () => {
  it('names some of its servers', () => {
    const { seeds, database, password, tls } = parseClusterLocation(
      'rediss+cluster://:pw@n1:7000,n2/0?prefix=a',
    );
    assert.deepEqual(seeds, [
      { host: 'n1', port: 7000 },
      { host: 'n2', port: 6379 },
    ]);
    assert.equal(database, 0);
    assert.deepEqual(password, { kind: 'text', text: 'pw' });
    assert.deepEqual(tls, {});
    assert.equal(parseClusterLocation('redis+cluster://n1').tls, undefined);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['redis+cluster://n1/1', /no databases but 0/],
    ['redis+cluster://n1:0', /not HOST/],
    ['redis+cluster://n1?sentinel-user=x', /unknown/],
    ['redis+cluster://n1?cert=x', /unknown/],
  ];
  for (const [text, expected] of wrong) {
    it(`is refused when it is ${text}`, () => {
      assert.throws(() => parseClusterLocation(text), {
        code: 'config_invalid',
        message: expected,
      });
    });
  }
});
