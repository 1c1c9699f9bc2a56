// A Redis Cluster whose slots move and whose servers die, under live leases and a watcher.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Driver } from '../../../../src/registry/driver.ts';
import { namesKeyOf } from '../../../../src/registry/drivers/redis/keys.ts';
import { makeCertificates, type Certificates } from '../../../servers/certificates.ts';
import {
  requireRedisCluster,
  startRedisCluster,
  type RedisCluster,
} from '../../../servers/redis-cluster.ts';
import { freePort } from '../../../support/free-port.ts';
import { eventually } from '../../../support/eventually.ts';
import { FaultProxy } from '../../../support/fault-proxy.ts';
import {
  doesEverything,
  eventuallyReads,
  Following,
  instance,
  leastPermissions,
  never,
  openDriver,
  refusesBadCertificates,
  tlsQuery,
} from './fixture.ts';
import { Scene } from './scene.ts';

const skip = requireRedisCluster();
const longMs = 10_000;

describe('a Redis Cluster', { skip }, () => {
  let cluster: RedisCluster;
  let driver: Driver;

  before(async () => {
    cluster = await startRedisCluster({ password: 'right' });
    driver = openDriver(cluster.url);
  });
  after(async () => {
    await driver.close();
    await cluster.stop();
  });

  const registered = (): Promise<unknown> => cluster.command('payments', 'HLEN', 'sd:{payments}:i');

  it('goes on while a slot moves, and its watchers move with it', async (t) => {
    await using scene = await Scene.set(cluster.url);
    const owner = await cluster.ownerOf('payments');
    const [to] = await cluster.othersThan(owner);
    assert.ok(to !== undefined);
    await cluster.moveSlotOf('payments', to);
    const healedMs = await scene.heals(registered);
    t.diagnostic(`healed after ${healedMs} ms`);
    assert.equal(await cluster.ownerOf('payments'), to);
    await scene.isUndisturbed();
    assert.equal(await to.command('PUBSUB', 'SHARDNUMSUB', 'sd:{payments}:c').then(second), 1);
  });

  it('tells a watcher at once that its slot has moved', async () => {
    await using following = await Following.start(driver, 'quiet');
    const [to] = await cluster.othersThan(await cluster.ownerOf('quiet'));
    assert.ok(to !== undefined);
    await cluster.moveSlotOf('quiet', to);
    // Its next look would be after 3 s.
    await eventually('it ends', () => following.ending instanceof Error, { deadlineMs: 1000 });
  });

  it('goes on when moving a slot takes longer than the leases', async (t) => {
    await using scene = await Scene.set(cluster.url);
    const [to] = await cluster.othersThan(await cluster.ownerOf('payments'));
    assert.ok(to !== undefined);
    await cluster.moveSlotOf('payments', to, async (step) => {
      if (step !== 'migrating' && step !== 'migrated') return;
      await eventually('the leases are lost', () =>
        scene.leases.every(({ state }) => state.kind === 'acquiring'),
      );
    });
    t.diagnostic(`healed after ${await scene.heals(registered)} ms`);
    await scene.isUndisturbed();
  });

  it('has services on all servers, and lists their names', async () => {
    const services = Array.from({ length: 40 }, (_, n) => `service-${n}`).sort();
    const instances = services.map((service) => instance('n1', { service }));
    for (const one of instances) await driver.acquire(one, longMs, never);
    const listed = (await driver.names(never)).filter((name) => name.startsWith('service-'));
    assert.deepEqual(listed, services);
    await using following = await Following.start(driver, 'service-7');
    for (const one of instances) await driver.release(one, never);
    await following.untilIds();
    assert.deepEqual(
      (await driver.names(never)).filter((name) => name.startsWith('service-')),
      [],
    );
  });

  it('works with the permissions that the documentation names', async () => {
    const owner = await cluster.ownerOf('payments');
    const more = ['+cluster|slots', '+cluster|info', '+spublish', '+ssubscribe', '+sunsubscribe'];
    for (const server of [owner, ...(await cluster.othersThan(owner))]) {
      await server.command(...leastPermissions, ...more);
    }
    await doesEverything(cluster.url.replace(':right@', 'app:pw@'));
  });

  it('takes registrations while a slot of names is on its way', async () => {
    const service = 'on-the-way';
    await driver.acquire(instance('w1', { service }), longMs, never);
    const { tag } = namesKeyOf('sd', 16, service);
    const owner = await cluster.ownerOf(tag);
    const [to] = (await cluster.othersThan(owner)).filter((other) => other !== owner);
    assert.ok(to !== undefined);
    await cluster.moveSlotOf(tag, to, async (step) => {
      await driver.acquire(instance(step, { service }), longMs, never);
      assert.ok((await driver.names(never)).includes(service), step);
    });
    const { instances } = await driver.read(service, never);
    assert.equal(instances.length, 5);
  });

  it('needs at most two connections to each server, and ends them', async () => {
    const own = openDriver(cluster.url);
    const counts = async (): Promise<readonly number[]> => {
      const owner = await cluster.ownerOf('payments');
      const servers = [owner, ...(await cluster.othersThan(owner))];
      const lists = servers.map((server) => server.command('CLIENT', 'LIST'));
      return (await Promise.all(lists)).map(
        (list) => String(list).split('name=outrigger').length - 1,
      );
    };
    await driver.close();
    await eventually('others are gone', async () => (await counts()).every((n) => n === 0));
    for (let n = 0; n < 20; n++) await own.read(`service-${n}`, never);
    await using first = await Following.start(own, 'one');
    await using second = await Following.start(own, 'two');
    assert.ok((await counts()).every((n) => n <= 2));
    assert.deepEqual([first.ending, second.ending], [undefined, undefined]);
    await own.close();
    assert.ok((await first.untilEnded()) instanceof Error);
    await eventually('all are gone', async () => (await counts()).every((n) => n === 0));
    await assert.rejects(own.read('one', never), { code: 'registry_unreachable' });
  });
});

describe('a Redis Cluster with replicas', { skip }, () => {
  it('goes on after a primary was killed, and after an ordered fail-over', async (t) => {
    const cluster = await startRedisCluster({ password: 'right', replicas: 1 });
    t.after(() => cluster.stop());
    await using scene = await Scene.set(cluster.url);
    const registered = (): Promise<unknown> =>
      cluster.command('payments', 'HLEN', 'sd:{payments}:i');

    const replica = await cluster.replicaOf('payments');
    await replica.command('CLUSTER', 'FAILOVER');
    await cluster.untilOwner('payments', replica);
    t.diagnostic(`ordered: healed after ${await scene.heals(registered)} ms`);
    await scene.isUndisturbed();
    await cluster.untilWhole();

    const other = await cluster.replicaOf('payments');
    await cluster.kill(replica);
    const killedMs = performance.now();
    await cluster.untilOwner('payments', other);
    const failOverMs = Math.round(performance.now() - killedMs);
    t.diagnostic(`fail-over ${failOverMs} ms, healed ${await scene.heals(registered)} ms later`);
    await scene.isUndisturbed();
  });
});

describe('a Redis Cluster with TLS', { skip }, () => {
  let directory: string;
  let certificates: Certificates;
  let query: string;
  let cluster: RedisCluster;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'outrigger-cluster-'));
    certificates = makeCertificates(directory);
    query = tlsQuery(certificates, 'ca', 'cert', 'key');
    cluster = await startRedisCluster({ password: 'right', replicas: 1, tls: certificates });
  });
  after(async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true });
  });

  it('works with certificates that fit', async () => {
    await doesEverything(`${cluster.url}${query}`);
    await doesEverything(`${cluster.url}${query}&servername=localhost`);
  });

  it('refuses an unknown authority, another name and a missing client certificate', () =>
    refusesBadCertificates(cluster.url, certificates));

  it('goes on while a slot moves, and after a primary was killed', async (t) => {
    await using scene = await Scene.set(`${cluster.url}${query}`);
    const registered = (): Promise<unknown> =>
      cluster.command('payments', 'HLEN', 'sd:{payments}:i');
    const [to] = await cluster.othersThan(await cluster.ownerOf('payments'));
    assert.ok(to !== undefined);
    await cluster.moveSlotOf('payments', to);
    t.diagnostic(`moved: healed after ${await scene.heals(registered)} ms`);
    await scene.isUndisturbed();

    const replica = await cluster.replicaOf('payments');
    await cluster.kill(to);
    await cluster.untilOwner('payments', replica);
    t.diagnostic(`killed: healed after ${await scene.heals(registered)} ms`);
    await scene.isUndisturbed();
  });
});

describe('a Redis Cluster of one server behind a bad network', { skip }, () => {
  it('loses connections without a word, which is noticed', async (t) => {
    const port = await freePort();
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port });
    t.after(() => proxy.close());
    const cluster = await startRedisCluster({
      primaries: 1,
      port,
      announcePort: proxy.address.port,
    });
    t.after(() => cluster.stop());
    const url = `redis+cluster://127.0.0.1:${proxy.address.port}?ttl=900ms&heartbeat=300ms`;
    const driver = openDriver(url);
    t.after(() => driver.close());
    await driver.acquire(instance('v1'), longMs, never);
    await using following = await Following.start(driver);
    proxy.set({ kind: 'blackHole' });
    assert.ok((await following.untilEnded()) instanceof Error);
    proxy.set({ kind: 'none' });
    await eventuallyReads(driver, 'payments', ['v1']);
    await using again = await Following.start(driver);
    await driver.release(instance('v1'), never);
    await again.untilIds();
  });
});

function second(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[1] : undefined;
}
