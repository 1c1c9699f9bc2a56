// The etcd driver where etcd asks who one is: passwords whose tokens end, and certificates.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { requireEtcd, startEtcd } from '../../../servers/etcd.ts';
import { eventually } from '../../../support/eventually.ts';
import { Following, idsOf, instance, openDriver, soon } from './fixture.ts';

const reason = requireEtcd();

describe('access to etcd', { skip: reason ?? false }, () => {
  it('gets a new token when the server does not know the old one', async () => {
    const server = await startEtcd({ rootPassword: 'right' });
    const driver = openDriver(server.url);
    try {
      await driver.acquire(instance('a'), 5000, soon());
      // Tokens of this kind live in the server's memory only.
      await server.restartWithData();
      await eventually('it is back', () => driver.read('payments', soon()));
      assert.equal(await driver.renew(instance('a'), 5000, soon()), 'ok');
      const following = new Following(driver, 'payments', await driver.read('payments', soon()));
      await driver.acquire(instance('b'), 5000, soon());
      await eventually('it follows', () => idsOf(following.latest).join() === 'a,b');
      await following.stop();
    } finally {
      await driver.close();
      await server.stop();
    }
  });

  it('says when a permission is missing, and follows with what is permitted', async () => {
    const server = await startEtcd({ rootPassword: 'right' });
    await server.etcdctl('user', 'add', 'app:secret');
    await server.etcdctl('role', 'add', 'app');
    await server.etcdctl('role', 'grant-permission', 'app', 'readwrite', '--prefix=true', '/mine/');
    await server.etcdctl('user', 'grant-role', 'app', 'app');
    const address = `app:secret@127.0.0.1:${server.port}`;
    const mine = openDriver(`etcd://${address}/mine`);
    const theirs = openDriver(`etcd://${address}/theirs`);
    try {
      await mine.acquire(instance('a'), 5000, soon());
      const following = new Following(mine, 'payments', await mine.read('payments', soon()));
      assert.equal(await mine.renew(instance('a'), 5000, soon()), 'ok');
      await mine.release(instance('a'), soon());
      await eventually('it follows', () => following.latest?.instances.length === 0);
      assert.deepEqual(await mine.names(soon()), []);
      await following.stop();
      await assert.rejects(theirs.read('payments', soon()), { code: 'registry_auth' });
      await assert.rejects(theirs.acquire(instance('a'), 5000, soon()), { code: 'registry_auth' });
    } finally {
      await mine.close();
      await theirs.close();
      await server.stop();
    }
  });

  it('wants and shows certificates', async () => {
    const server = await startEtcd({ tls: true });
    const { ca = '', cert = '', key = '' } = server.certificates?.files ?? {};
    const files = `cert=${cert}&key=${key}`;
    const driver = openDriver(`${server.url}?ca=${ca}&${files}`);
    const stranger = openDriver(`${server.url}?ca=${ca}`);
    const credulous = openDriver(`${server.url}?${files}`);
    try {
      await driver.acquire(instance('a'), 5000, soon());
      assert.deepEqual(idsOf(await driver.read('payments', soon())), ['a']);
      const refused = { code: 'registry_unreachable' };
      await assert.rejects(stranger.read('payments', soon()), refused);
      await assert.rejects(credulous.read('payments', soon()), refused);
    } finally {
      for (const opened of [driver, stranger, credulous]) await opened.close();
      await server.stop();
    }
  });

  it('lets the name in a certificate be the user', async () => {
    const server = await startEtcd({ tls: true, rootPassword: 'right' });
    const { ca = '', cert = '', key = '' } = server.certificates?.files ?? {};
    const passwordFile = join(dirname(ca), 'password');
    writeFileSync(passwordFile, 'right\n');
    const files = `ca=${ca}&cert=${cert}&key=${key}`;
    const named = openDriver(`etcds://127.0.0.1:${server.port}?${files}`);
    const root = openDriver(
      `etcds://root@127.0.0.1:${server.port}?${files}&password-file=${passwordFile}`,
    );
    try {
      await assert.rejects(named.read('payments', soon()), { code: 'registry_auth' });
      await server.etcdctl('user', 'add', 'localhost:x');
      await server.etcdctl('user', 'grant-role', 'localhost', 'root');
      await root.acquire(instance('a'), 5000, soon());
      assert.deepEqual(idsOf(await named.read('payments', soon())), ['a']);
      await named.acquire(instance('b'), 5000, soon());
      assert.equal(await named.renew(instance('b'), 5000, soon()), 'ok');
    } finally {
      await named.close();
      await root.close();
      await server.stop();
    }
  });
});
