// What the URL of a ZooKeeper registry means, and where its nodes are.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ancestorsOf,
  folderOf,
  nodeNameOf,
} from '../../../../src/registry/drivers/zookeeper/layout.ts';
import { parseLocation } from '../../../../src/registry/drivers/zookeeper/location.ts';

describe('the location of a ZooKeeper registry', () => {
  it('has defaults for all but the host', () => {
    const location = parseLocation('zk://one,two:2182');
    assert.deepEqual(location.servers, [
      { host: 'one', port: 2181 },
      { host: 'two', port: 2182 },
    ]);
    assert.equal(folderOf(location.layout, 'payments'), '/services/payments');
    assert.equal(location.format.sequential, false);
    assert.equal(location.access, 'everybody');
    assert.equal(location.ttlMs, 10_000);
    assert.equal(location.heartbeatMs, 3000);
  });

  it('takes what is given', () => {
    const location = parseLocation('zk://me:p%40ss@h/a/b/?format=nerve&session=12s');
    assert.deepEqual(location.login, { user: 'me', password: { kind: 'text', text: 'p@ss' } });
    assert.equal(location.url, 'zk://me:***@h/a/b/?format=nerve&session=12s');
    assert.equal(location.access, 'user');
    assert.equal(folderOf(location.layout, 'payments'), '/a/b/payments');
    assert.equal(location.format.nodeName('x'), 'x_');
    assert.equal(location.ttlMs, 12_000);
    assert.equal(location.heartbeatMs, 4000);
  });

  it('may have the service within the path', () => {
    const { layout } = parseLocation('zk://h/nerve/services/{service}/services');
    assert.equal(layout.before, '/nerve/services');
    assert.equal(folderOf(layout, 'payments'), '/nerve/services/payments/services');
    assert.deepEqual(parseLocation('zk://h/a/{service}').layout, { before: '/a', after: '' });
  });

  it('is refused when it cannot work', () => {
    for (const [url, reason] of [
      ['zk://h?format=curater', /did you mean "curator"/],
      ['zk://h?sesion=1s', /did you mean "session"/],
      ['zk://h?ca=x', /unknown/],
      ['zk://:secret@h', /the password has no user/],
      ['zk://h/{service}', /below the root/],
      ['zk://h/a/{service}/{service}', /twice/],
      ['zk://h/a//b', /segment/],
      ['zk://h/a/%00', /segment/],
      ['zk://h/%zz', /percent-encoded/],
      ['zk://h?session=2s&heartbeat=1500ms', /half of ttl/],
    ] as const) {
      assert.throws(() => parseLocation(url), reason, url);
    }
  });
});

describe('paths', () => {
  it('have names that ZooKeeper allows, a different one for each id', () => {
    const ids = ['a', 'A', '.', '..', '...', 'a/b', 'a%2Fb', 'ü', '\u0000', ' ', '\ud800'];
    const names = ids.map(nodeNameOf);
    assert.equal(new Set(names).size, ids.length);
    for (const name of names) assert.match(name, /^(?!\.{1,2}$)[\w.!~*'()%-]+$/);
    assert.equal(nodeNameOf('payments-10.0.0.1-80-1a2b'), 'payments-10.0.0.1-80-1a2b');
  });

  it('have ancestors', () => {
    assert.deepEqual(ancestorsOf('/a/b/c'), ['/a', '/a/b']);
    assert.deepEqual(ancestorsOf('/a'), []);
  });
});
