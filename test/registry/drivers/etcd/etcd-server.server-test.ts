// The etcd driver on a real server: what it costs, what other programs see, and what it does about compaction and tokens.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Etcd3 } from 'etcd3';
import type { Driver } from '../../../../src/registry/driver.ts';
import { requireEtcd, startEtcd, type EtcdServer } from '../../../servers/etcd.ts';
import { eventually } from '../../../support/eventually.ts';
import { FaultProxy } from '../../../support/fault-proxy.ts';
import { Following, idsOf, instance, openDriver, soon } from './fixture.ts';

const reason = requireEtcd();

describe('the etcd driver on a server', { skip: reason ?? false }, () => {
  let server: EtcdServer;
  let driver: Driver;
  let number = 0;
  const drivers: Driver[] = [];
  const open = (url = server.url): Driver => {
    const opened = openDriver(url);
    drivers.push(opened);
    return opened;
  };
  /** Each test has a service of its own. */
  const newService = (): string => `service${++number}`;

  before(async () => {
    server = await startEtcd();
    driver = open();
  });
  after(async () => {
    for (const opened of drivers) await opened.close();
    await server.stop();
  });

  it('keeps all instances of an agent by one keep-alive', async () => {
    const own = open();
    const service = newService();
    const instances = Array.from({ length: 50 }, (_, n) => instance(`many-${n}`, { service }));
    await Promise.all(instances.map((one) => own.acquire(one, 2000, soon())));
    const [granted, kept] = [await calls('LeaseGrant'), await calls('LeaseKeepAlive')];
    const keepAll = async (): Promise<readonly string[]> =>
      Promise.all(instances.map((one) => own.renew(one, 2000, soon())));
    await eventually('another heartbeat', async () => {
      assert.deepEqual(new Set(await keepAll()), new Set(['ok']));
      return (await calls('LeaseKeepAlive')) > kept;
    });
    assert.deepEqual(new Set(await keepAll()), new Set(['ok']));
    assert.equal(await calls('LeaseKeepAlive'), kept + 1);
    assert.equal(await calls('LeaseGrant'), granted);
    const other = instance('slow', { service });
    await own.acquire(other, 4500, soon());
    assert.equal(await calls('LeaseGrant'), granted + 1, 'another TTL, another lease');
  });

  it('watches many services on one stream', async () => {
    const own = open();
    const streams = await calls('Watch');
    const services = Array.from({ length: 20 }, newService);
    const followings = await Promise.all(
      services.map(async (service) => new Following(own, service, await own.read(service, soon()))),
    );
    for (const service of services) await driver.acquire(instance('a', { service }), 5000, soon());
    await eventually('each hears of its own', () =>
      followings.every(({ latest }) => idsOf(latest).join() === 'a'),
    );
    assert.equal(followings.flatMap(({ readings }) => readings).length, services.length);
    assert.equal((await calls('Watch')) - streams, 1);
    await Promise.all(followings.map((following) => following.stop()));
  });

  it('tells one that left from one whose lease was lost', async () => {
    const service = newService();
    const following = new Following(driver, service, await driver.read(service, soon()));
    const leaver = open();
    const lost = open();
    await leaver.acquire(instance('leaver', { service }), 5000, soon());
    await lost.acquire(instance('lost', { service }), 5000, soon());
    await leaver.release(instance('leaver', { service }), soon());
    await server.etcdctl('del', `/outrigger/services/${service}/lost`);
    await eventually('both are gone', () => {
      const { latest } = following;
      return latest !== undefined && latest.departed?.size === 1 && idsOf(latest).length === 0;
    });
    assert.deepEqual([...(following.latest?.departed ?? [])], ['leaver']);
    assert.equal(await lost.renew(instance('lost', { service }), 5000, soon()), 'gone');
    await following.stop();
  });

  it('leaves no lease behind', async () => {
    const own = open();
    const service = newService();
    const leases = await server.etcdctl('lease', 'list');
    for (const id of ['a', 'b']) await own.acquire(instance(id, { service }), 60_000, soon());
    await own.release(instance('a', { service }), soon());
    assert.equal(await own.renew(instance('b', { service }), 60_000, soon()), 'ok');
    await own.release(instance('b', { service }), soon());
    assert.equal(await server.etcdctl('lease', 'list'), leases);
  });

  it('takes a revoked lease for gone, and acquires under a new one', async () => {
    const own = open();
    const one = instance('revoked', { service: newService() });
    const before = leaseIds(await server.etcdctl('lease', 'list'));
    await own.acquire(one, 60_000, soon());
    const [id = ''] = leaseIds(await server.etcdctl('lease', 'list')).filter(
      (other) => !before.includes(other),
    );
    await server.etcdctl('lease', 'revoke', id);
    // The lease was granted just now, so it is still believed in.
    await own.acquire(one, 60_000, soon());
    assert.equal(await own.renew(one, 60_000, soon()), 'ok');
    await own.release(one, soon());
  });

  it('asks for a new reading when the place to follow from was compacted', async () => {
    const service = newService();
    const reading = await driver.read(service, soon());
    await driver.acquire(instance('a', { service }), 5000, soon());
    await driver.acquire(instance('a', { service, weight: 2 }), 5000, soon());
    const status = await server.etcdctl('endpoint', 'status', '--write-out=json');
    const revision = /"revision":(\d+)/.exec(status)?.[1] ?? '';
    await server.etcdctl('compact', revision);
    const following = new Following(driver, service, reading);
    await eventually('it ends', () => following.ending !== undefined);
    assert.ok(following.ending instanceof Error && 'code' in following.ending);
    assert.equal(following.ending.code, 'registry_compacted');
    const next = new Following(driver, service, await driver.read(service, soon()));
    await driver.release(instance('a', { service }), soon());
    await eventually('the next one follows', () => next.latest?.instances.length === 0);
    await next.stop();
  });

  it('notices a watch that died silently, and says so while it lives', async () => {
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port });
    const { host, port } = proxy.address;
    const own = open(`etcd://${host}:${port}?ttl=1s&heartbeat=200ms`);
    const service = newService();
    const following = new Following(own, service, await own.read(service, soon()));
    await eventually('it is confirmed', () => following.confirmations > 2);
    proxy.set({ kind: 'blackHole' });
    await eventually('it is lost', () => following.ending instanceof Error);
    proxy.set({ kind: 'none' });
    assert.deepEqual(idsOf(await own.read(service, soon())), []);
    await proxy.close();
  });

  it('lists names over pages', async () => {
    const own = open(`${server.url}/names`);
    for (const service of ['a', 'a-b', 'a.b', 'b']) {
      await own.acquire(instance('x/y', { service }), 5000, soon());
      await own.acquire(instance('z', { service }), 5000, soon());
    }
    await server.etcdctl('put', '/names/No Service/x', 'y');
    assert.deepEqual(await own.names(soon()), ['a', 'a-b', 'a.b', 'b']);
  });

  it('can be read and watched by etcd3, and read with etcdctl', async () => {
    const service = newService();
    const client = new Etcd3({ hosts: `http://127.0.0.1:${server.port}` });
    const prefix = `/outrigger/services/${service}/`;
    const watcher = await client.watch().prefix(prefix).create();
    const deleted: string[] = [];
    watcher.on('delete', ({ key }) => void deleted.push(key.toString()));
    const one = instance('web-1', { service, port: 9000, zone: 'eu-1' });
    await driver.acquire(one, 5000, soon());
    const records = await client.getAll().prefix(prefix).json();
    assert.deepEqual(Object.keys(records), [`${prefix}web-1`]);
    const { host, port, zone, Addr } = records[`${prefix}web-1`] as Record<string, unknown>;
    assert.deepEqual([host, port, zone, Addr], ['10.0.0.1', 9000, 'eu-1', '10.0.0.1:9000']);
    const text = await server.etcdctl('get', '--prefix', prefix);
    assert.match(text, /^\S+\/web-1\n\{"id":"web-1","host":"10\.0\.0\.1","port":9000,/);
    await driver.release(one, soon());
    await eventually('the removal is seen', () => deleted.includes(`${prefix}web-1`));
    await watcher.cancel();
    client.close();
  });

  it('reads what other programs register', async () => {
    const service = newService();
    const put = (id: string, text: string): Promise<string> =>
      server.etcdctl('put', `/outrigger/services/${service}/${id}`, text);
    await put('plain', '10.1.1.1:80');
    await put('naming', '{"Op":0,"Addr":"10.1.1.2:81","Metadata":null}');
    await put('fields', '{"host":"10.1.1.3","port":82,"weight":5}');
    const { instances, malformed } = await driver.read(service, soon());
    const seen = instances.map(({ id, host, port, weight }) => `${id} ${host}:${port} ${weight}`);
    assert.deepEqual(seen.sort(), [
      'fields 10.1.1.3:82 5',
      'naming 10.1.1.2:81 1',
      'plain 10.1.1.1:80 1',
    ]);
    assert.equal(malformed, 0);
  });

  it('keeps its leases and lets instances go while the database is full', async () => {
    const full = await startEtcd({ args: ['--quota-backend-bytes', '200000'] });
    const own = open(full.url);
    try {
      await own.acquire(instance('a'), 5000, soon());
      const filler = 'x'.repeat(30_000);
      await eventually('it is full', async () => {
        const put = full.etcdctl('put', 'filler', filler);
        return put.then(
          () => false,
          () => true,
        );
      });
      await assert.rejects(own.acquire(instance('b'), 5000, soon()), {
        code: 'registry_unavailable',
      });
      assert.equal(await own.renew(instance('a'), 5000, soon()), 'ok');
      await own.release(instance('a'), soon());
      assert.deepEqual(idsOf(await own.read('payments', soon())), []);
    } finally {
      await full.stop();
    }
  });

  it('takes leases that ended around an outage for no proof, later ones for one', async () => {
    const own = await startEtcd();
    const opened = open(`${own.url}?ttl=1s&heartbeat=200ms`);
    const holder = open(own.url);
    try {
      for (const id of ['a', 'b']) await holder.acquire(instance(id), 60_000, soon());
      const lost = new Following(opened, 'payments', await opened.read('payments', soon()));
      own.pause();
      await eventually('the outage is noticed', () => lost.ending instanceof Error);
      own.resume();
      const reading = await eventually('it is back', () => opened.read('payments', soon()));
      const following = new Following(opened, 'payments', reading);
      await own.etcdctl('del', '/outrigger/services/payments/a');
      await eventually('one is gone', () => idsOf(following.latest).join() === 'b');
      assert.equal(following.latest?.reset, true);
      const confirmed = following.confirmations;
      await eventually('a lease time is over', () => following.confirmations > confirmed + 6);
      await own.etcdctl('del', '/outrigger/services/payments/b');
      await eventually('both are gone', () => following.latest?.instances.length === 0);
      assert.equal(following.latest.reset, false);
      await following.stop();
    } finally {
      await own.stop();
    }
  });

  it('says when the data was lost', async () => {
    const own = await startEtcd();
    const opened = open(own.url);
    try {
      await opened.acquire(instance('a'), 5000, soon());
      const following = new Following(opened, 'payments', await opened.read('payments', soon()));
      await own.restartEmpty();
      await eventually('it is lost', () => following.ending instanceof Error);
      const reading = await eventually('it is back', () => opened.read('payments', soon()));
      assert.deepEqual([idsOf(reading), reading.reset], [[], true]);
      const next = new Following(opened, 'payments', reading);
      assert.equal((await opened.read('payments', soon())).reset, false, 'said once');
      await next.stop();
    } finally {
      await own.stop();
    }
  });

  /** How many calls of the method the server has seen. */
  async function calls(method: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    const metric = new RegExp(
      `^grpc_server_started_total\\{grpc_method="${method}".*\\} (\\d+)`,
      'm',
    );
    return Number(metric.exec(await answer.text())?.[1] ?? 0);
  }
});

function leaseIds(text: string): readonly string[] {
  return text.split('\n').slice(1);
}
