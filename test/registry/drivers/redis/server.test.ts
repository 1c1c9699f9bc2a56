// The driver and its connections against real servers that refuse, stop, restart and vanish.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Driver } from '../../../../src/registry/driver.ts';
import type { Certificates } from '../../../servers/certificates.ts';
import { requireRedis, startRedis, type RedisServer } from '../../../servers/redis.ts';
import { eventually } from '../../../support/eventually.ts';
import { FaultProxy } from '../../../support/fault-proxy.ts';
import {
  doesEverything,
  eventuallyReads,
  Following,
  idsOf,
  instance,
  leastPermissions,
  never,
  openDriver,
  refuses,
  refusesBadCertificates,
  tlsQuery,
} from './fixture.ts';

const skip = requireRedis();
const longMs = 10_000;

/** Opens a driver for one test. */
async function withDriver(url: string, use: (driver: Driver) => Promise<void>): Promise<void> {
  const driver = openDriver(url);
  try {
    await use(driver);
  } finally {
    await driver.close();
  }
}

describe('a driver of a Redis server', { skip }, () => {
  let server: RedisServer;

  before(async () => {
    server = await startRedis({ password: 'right' });
  });
  after(async () => {
    await server.stop();
  });

  const urlWith = (user: string, rest = ''): string =>
    `redis://${user}@127.0.0.1:${server.port}${rest}`;

  it('reports refused credentials', async () => {
    await refuses(urlWith(':wrong'), 'registry_auth');
    await refuses(urlWith('nobody:right'), 'registry_auth');
    await refuses(`redis://127.0.0.1:${server.port}`, 'registry_auth');
  });

  it('reports missing permissions, also those that only a script needs', async () => {
    await server.command('ACL', 'SETUSER', 'reader', 'on', '>pw', '~other:*', '&*', '+@all');
    await refuses(urlWith('reader:pw'), 'registry_auth');
    await server.command('ACL', 'SETUSER', 'mute', 'on', '>pw', '~sd:*', 'resetchannels', '+@all');
    await withDriver(urlWith('mute:pw'), async (driver) => {
      const from = { instances: [], version: '0-0', malformed: 0 };
      const sink = { changed: () => undefined, confirmed: () => undefined };
      const code = { code: 'registry_auth' };
      await assert.rejects(driver.follow('payments', from, sink, never), code);
    });
  });

  it('works with the permissions that the documentation names', async () => {
    await server.command(...leastPermissions);
    await doesEverything(urlWith('app:pw'));
  });

  it('keeps databases and prefixes apart', async () => {
    const places = ['/0', '/3', '/3?prefix=other:sd'];
    const drivers = places.map((place) => openDriver(urlWith(':right', place)));
    try {
      for (const [index, driver] of drivers.entries()) {
        await using following = await Following.start(driver, 'apart');
        for (const [other, writer] of drivers.entries()) {
          const id = `a${index}${other}`;
          await writer.acquire(instance(id, { service: 'apart' }), longMs, never);
        }
        await following.until('its own is there', () => following.readings.length > 0);
        const own = idsOf(await driver.read('apart', never));
        assert.deepEqual(idsOf(following.last), own);
        assert.ok(own.every((id) => id.endsWith(String(index))));
      }
    } finally {
      await Promise.all(drivers.map((driver) => driver.close()));
    }
  });

  it('does not fall back to another database', async () => {
    await refuses(urlWith(':right', '/9999'), 'registry_invalid');
  });

  it('reports a full server, and works again when it has room', async () => {
    await withDriver(urlWith(':right'), async (driver) => {
      await driver.acquire(instance('f1'), longMs, never);
      await server.command('CONFIG', 'SET', 'maxmemory', '1');
      const full = { code: 'registry_unavailable' };
      await assert.rejects(driver.acquire(instance('f2'), longMs, never), full);
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
      await driver.acquire(instance('f2'), longMs, never);
      await driver.release(instance('f1'), never);
      await driver.release(instance('f2'), never);
    });
  });

  it('reports a server that is only a replica, and connects anew', async () => {
    await withDriver(urlWith(':right'), async (driver) => {
      await driver.acquire(instance('r1'), longMs, never);
      await server.command('REPLICAOF', '127.0.0.1', '1');
      const readOnly = { code: 'registry_unavailable' };
      await assert.rejects(driver.renew(instance('r1'), longMs, never), readOnly);
      await eventually('the connection is dropped', async () => {
        const list = String(await server.command('CLIENT', 'LIST', 'TYPE', 'normal'));
        return !list.includes('name=outrigger');
      });
      await server.command('REPLICAOF', 'NO', 'ONE');
      assert.equal(await driver.renew(instance('r1'), longMs, never), 'ok');
      await driver.release(instance('r1'), never);
    });
  });

  it('needs two connections, and ends both', async () => {
    const connections = async (): Promise<number> => {
      const list = String(await server.command('CLIENT', 'LIST'));
      return list.split('\n').filter((line) => line.includes('name=outrigger')).length;
    };
    await eventually('the others are gone', async () => (await connections()) === 0);
    await withDriver(urlWith(':right'), async (driver) => {
      await using first = await Following.start(driver, 'one');
      await using second = await Following.start(driver, 'two');
      await driver.acquire(instance('c1'), longMs, never);
      assert.equal(await connections(), 2);
      assert.deepEqual([first.ending, second.ending], [undefined, undefined]);
      await driver.release(instance('c1'), never);
    });
    await eventually('all are gone', async () => (await connections()) === 0);
  });

  it('rejects following when its connection is killed', async () => {
    await withDriver(urlWith(':right'), async (driver) => {
      await using following = await Following.start(driver);
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const ending = await following.untilEnded();
      assert.equal((ending as { code?: string }).code, 'registry_unreachable');
      await using again = await Following.start(driver);
      assert.equal(again.ending, undefined);
    });
  });

  it('leaves nothing that keeps the process alive', async () => {
    const program = `
      import { openDriver, Following, instance, never } from './fixture.ts';
      const driver = openDriver(process.env.REDIS_URL);
      const following = await Following.start(driver);
      await driver.acquire(instance('z1'), 10000, never);
      await driver.close();
      await following.untilEnded();
    `;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program],
      {
        cwd: import.meta.dirname,
        env: { ...process.env, REDIS_URL: urlWith(':right') },
        stdio: ['ignore', 'inherit', 'inherit'],
        timeout: 20_000,
      },
    );
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('reports an address where nobody listens, and a signal that ends the wait', async () => {
    await withDriver('redis://127.0.0.1:1', async (driver) => {
      await assert.rejects(driver.read('payments', never), { code: 'registry_unreachable' });
    });
    await withDriver(urlWith(':right'), async (driver) => {
      await assert.rejects(driver.read('payments', AbortSignal.abort()), {
        name: 'RegistryError',
      });
    });
  });
});

describe('a driver of a Redis server in trouble', { skip }, () => {
  const times = 'ttl=900ms&heartbeat=300ms';
  let server: RedisServer;
  let driver: Driver;

  before(async () => {
    server = await startRedis();
    driver = openDriver(`${server.url}?${times}`);
  });
  after(async () => {
    await driver.close();
    await server.stop();
  });

  const renewed = (id: string): Promise<'ok' | 'gone'> =>
    eventually('renewed', () => driver.renew(instance(id), 900, never), { everyMs: 20 });

  it('keeps every lease over a restart with data that lasts longer than the leases', async () => {
    await driver.acquire(instance('d1'), 900, never);
    await using following = await Following.start(driver);
    await server.restartWithData(1200);
    assert.ok((await following.untilEnded()) instanceof Error);
    const reading = await eventually('read', () => driver.read('payments', never));
    assert.deepEqual(idsOf(reading), ['d1']);
    assert.equal(reading.reset, undefined);
    assert.equal(await renewed('d1'), 'ok');
    assert.deepEqual(following.readings, []);
  });

  it('says gone and reset after a restart without data', async () => {
    await driver.acquire(instance('e1'), 900, never);
    {
      await using following = await Following.start(driver);
      await server.restartEmpty();
      assert.ok((await following.untilEnded()) instanceof Error);
      assert.ok(following.readings.every((reading) => reading.instances.length > 0));
    }
    assert.equal(await renewed('e1'), 'gone');
    assert.equal((await driver.read('payments', never)).reset, true);
    await driver.acquire(instance('e1'), 900, never);
    assert.deepEqual(idsOf(await driver.read('payments', never)), ['e1']);
  });

  it('keeps every lease while the server is stopped for longer than the leases', async () => {
    await server.command('FLUSHALL');
    await driver.acquire(instance('s1'), 900, never);
    await using following = await Following.start(driver);
    server.pause();
    try {
      const pausedAtMs = performance.now();
      assert.ok((await following.untilEnded()) instanceof Error);
      await assert.rejects(driver.read('payments', never), { code: 'registry_timeout' });
      await eventually('longer than the lease', () => performance.now() - pausedAtMs > 1200);
    } finally {
      server.resume();
    }
    const reading = await eventually('read', () => driver.read('payments', never));
    assert.deepEqual(idsOf(reading), ['s1']);
    assert.equal(await renewed('s1'), 'ok');
  });

  it('notices a connection that vanished without a word', async () => {
    await server.command('FLUSHALL');
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port });
    const cut = openDriver(`redis://127.0.0.1:${proxy.address.port}?${times}`);
    try {
      await cut.acquire(instance('v1'), 5000, never);
      await using following = await Following.start(cut);
      proxy.set({ kind: 'blackHole' });
      assert.ok((await following.untilEnded()) instanceof Error);
      proxy.set({ kind: 'none' });
      await eventuallyReads(cut, 'payments', ['v1']);
      await using again = await Following.start(cut);
      await cut.release(instance('v1'), never);
      await again.untilIds();
    } finally {
      await cut.close();
      await proxy.close();
    }
  });
});

describe('a driver of a Redis server with TLS', { skip }, () => {
  let server: RedisServer;

  before(async () => {
    server = await startRedis({ tls: true, password: 'right' });
  });
  after(async () => {
    await server.stop();
  });

  const certificates = (): Certificates => {
    assert.ok(server.certificates !== undefined);
    return server.certificates;
  };

  it('works with certificates that fit', () =>
    doesEverything(`${server.url}${tlsQuery(certificates(), 'ca', 'cert', 'key')}`));

  it('refuses an unknown authority, another name and a missing client certificate', () =>
    refusesBadCertificates(server.url, certificates()));

  it('reports a server that speaks no TLS', async () => {
    const plain = await startRedis();
    try {
      await refuses(`rediss://127.0.0.1:${plain.port}`, 'registry_timeout');
    } finally {
      await plain.stop();
    }
  });
});
