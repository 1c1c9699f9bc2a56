// The driver against real ZooKeeper servers: what the contract suite does not ask of every registry.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openLink } from '../../../../src/registry/drivers/zookeeper/link.ts';
import { parseLocation } from '../../../../src/registry/drivers/zookeeper/location.ts';
import { Leases } from '../../../../src/registry/drivers/zookeeper/leases.ts';
import { Session } from '../../../../src/registry/drivers/zookeeper/session.ts';
import { openDriver } from '../../../../src/registry/open.ts';
import { inSession } from '../../../contract/backends/zookeeper.ts';
import { instanceOf, service } from '../../../contract/world.ts';
import { freePort } from '../../../support/free-port.ts';
import {
  requireZooKeeper,
  startZooKeeper,
  type ZooKeeperServer,
} from '../../../servers/zookeeper.ts';
import { eventually } from '../../../support/eventually.ts';
import { FaultProxy } from '../../../support/fault-proxy.ts';

const reason = requireZooKeeper();
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const ttlMs = 2000;

describe('the ZooKeeper driver', { skip: reason ?? false }, () => {
  const endings: (() => Promise<void>)[] = [];
  let shared: Promise<ZooKeeperServer> | undefined;
  let folders = 0;

  after(async () => {
    for (const ending of endings.reverse()) await ending();
    await (await shared)?.stop();
  });

  async function serverUrl(user = ''): Promise<string> {
    const { port } = await (shared ??= startZooKeeper());
    folders++;
    return `zk://${user}127.0.0.1:${port}/test${folders}?session=${ttlMs}ms&heartbeat=600ms`;
  }

  async function open(url: string): Promise<Driver> {
    const driver = await openDriver(url, deps);
    endings.push(() => driver.close());
    return driver;
  }

  for (const format of ['curator', 'serverset', 'nerve']) {
    it(`replaces the node that an earlier process left (${format})`, async () => {
      const url = `${await serverUrl()}&format=${format}`;
      const earlier = await open(url);
      await earlier.acquire(instanceOf(1), ttlMs, signal());
      const later = await open(url);
      const changed = instanceOf(1, { weight: 2 });
      await later.acquire(changed, ttlMs, signal());
      assert.deepEqual((await later.read(service, signal())).instances, [changed]);
      // Ends the session of the earlier process, and whatever it still owns.
      await earlier.close();
      assert.equal(await later.renew(changed, ttlMs, signal()), 'ok');
      assert.deepEqual((await later.read(service, signal())).instances, [changed]);
    });
  }

  it('keeps its nodes over a lost connection, and knows when another session made them', async () => {
    const url = await serverUrl();
    const { port } = await startedServer();
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port });
    endings.push(() => proxy.close());
    const driver = await open(url.replace(`:${port}/`, `:${proxy.address.port}/`));
    await driver.acquire(instanceOf(1), ttlMs, signal());
    const owner = await ownerOf(url);
    proxy.set({ kind: 'reset' });
    await assert.rejects(driver.renew(instanceOf(1), ttlMs, signal()));
    proxy.set({ kind: 'none' });
    await eventually('renewed', async () => {
      return (await driver.renew(instanceOf(1), ttlMs, signal())) === 'ok';
    });
    assert.equal(await ownerOf(url), owner);
    const other = await open(url);
    assert.equal(await other.renew(instanceOf(1), ttlMs, signal()), 'gone');
  });

  it('learns that its session has ended for all leases, and begins another', async () => {
    const location = parseLocation(await serverUrl());
    const session = new Session(deps, location);
    endings.push(() => session.close());
    const leases = new Leases(location);
    const both = [instanceOf(1), instanceOf(2)];
    const ticket = await session.use(async (link) => {
      for (const instance of both) await leases.acquire(link, instance);
      return link.ticket;
    }, signal());
    await endSession(location, ticket);
    const renewed = await eventually('a new connection', () =>
      session
        .use((link) => Promise.all(both.map((one) => leases.renew(link, one))), signal())
        .catch(() => undefined),
    );
    assert.deepEqual(renewed, ['gone', 'gone']);
    const later = await session.use(async (link) => {
      await leases.acquire(link, instanceOf(1));
      return link.ticket;
    }, signal());
    assert.notEqual(later.id, ticket.id);
  });

  it('costs a follower what changes, not what there is', async () => {
    const url = await serverUrl();
    const writer = await open(url);
    const instances = Array.from({ length: 200 }, (_, n) => instanceOf(n));
    await Promise.all(instances.map((instance) => writer.acquire(instance, ttlMs, signal())));
    const reader = await open(url);
    const reading = await reader.read(service, signal());
    assert.equal(reading.instances.length, 200);
    const following = new AbortController();
    const readings: Reading[] = [];
    const sink = { changed: (next: Reading) => readings.push(next), confirmed: () => undefined };
    const followed = reader.follow(service, reading, sink, following.signal);
    const before = await requestsOf(await startedServer());
    await writer.acquire(instanceOf(7, { weight: 3 }), ttlMs, signal());
    await eventually('the change', () => readings.length > 0);
    const again = await reader.read(service, signal());
    assert.equal(again.version, readings.at(-1)?.version);
    const requests = (await requestsOf(await startedServer())) - before;
    assert.ok(requests < 30, `${requests} requests`);
    following.abort();
    await followed;
  });

  it('is told when nobody holds the folder of a service any more', async () => {
    const url = await serverUrl();
    const driver = await open(url);
    await driver.acquire(instanceOf(1), ttlMs, signal());
    const reading = await driver.read(service, signal());
    const following = new AbortController();
    const readings: Reading[] = [];
    const sink = { changed: (next: Reading) => readings.push(next), confirmed: () => undefined };
    const followed = driver.follow(service, reading, sink, following.signal);
    const folder = new URL(url).pathname;
    await inSession(url, async ({ nodes }) => {
      await nodes.delete(`${folder}/${service}/${instanceOf(1).id}`);
      await nodes.delete(`${folder}/${service}`);
    });
    await eventually('a reset', () => readings.at(-1)?.reset === true);
    assert.equal(await driver.renew(instanceOf(1), ttlMs, signal()), 'gone');
    await driver.acquire(instanceOf(1), ttlMs, signal());
    await eventually('it is back', () => readings.at(-1)?.instances.length === 1);
    following.abort();
    await followed;
  });

  it('gives nodes to its own user alone', async () => {
    const url = await serverUrl('me:secret@');
    await (await open(url)).acquire(instanceOf(1), ttlMs, signal());
    const stranger = await open(url.replace('me:secret@', ''));
    await assert.rejects(stranger.read(service, signal()), { code: 'registry_auth' });
    await assert.rejects(stranger.acquire(instanceOf(2), ttlMs, signal()), {
      code: 'registry_auth',
    });
    assert.equal((await (await open(url)).read(service, signal())).instances.length, 1);
  });

  it('finds the server that works', async () => {
    const { port } = await startedServer();
    const dead = await freePort();
    const url = await serverUrl();
    const both = url.replace(`:${port}/`, `:${dead},127.0.0.1:${port}/`);
    // The dead one is tried first.
    const driver = await openDriver(both, { ...deps, random: () => 0 });
    endings.push(() => driver.close());
    assert.deepEqual((await driver.read(service, signal())).instances, []);
  });

  it('speaks TLS, and trusts no server but those of its authority', async () => {
    const server = await startZooKeeper({ tls: true });
    endings.push(() => server.stop());
    const { ca, cert, key } = server.certificates?.files ?? { ca: '', cert: '', key: '' };
    const url = `zks://localhost:${server.port}?cert=${cert}&key=${key}`;
    const driver = await open(`${url}&ca=${ca}`);
    await driver.acquire(instanceOf(1), ttlMs, signal());
    assert.deepEqual((await driver.read(service, signal())).instances, [instanceOf(1)]);
    const trustless = await open(url);
    await assert.rejects(trustless.read(service, signal()), { code: 'registry_unreachable' });
  });

  async function startedServer(): Promise<ZooKeeperServer> {
    return (shared ??= startZooKeeper());
  }
});

function signal(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

async function ownerOf(url: string): Promise<bigint | undefined> {
  const path = `${new URL(url).pathname}/${service}/${instanceOf(1).id}`;
  return inSession(url, async ({ nodes }) => (await nodes.stat(path, { watch: false }))?.owner);
}

/** As an expiry does: the session is over at the server, and its connection is closed without a word. */
async function endSession(
  location: ReturnType<typeof parseLocation>,
  ticket: Parameters<typeof openLink>[2],
): Promise<void> {
  const [server = { host: '', port: 0 }] = location.servers;
  const link = await openLink({ clock: systemClock, location }, server, ticket, signal());
  assert.ok(link !== 'expired');
  await link.connection.closeSession();
}

async function requestsOf(server: ZooKeeperServer): Promise<number> {
  return Number(/Received: (\d+)/.exec(await server.ask('srvr'))?.[1]);
}
