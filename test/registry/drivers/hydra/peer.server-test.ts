// Both directions of a mixed fleet: an agent of ours and processes with the npm package `hydra`, on a real Redis.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import { openHydra } from '../../../../src/registry/drivers/hydra/driver.ts';
import { hydraIdOf } from '../../../../src/registry/drivers/hydra/keys.ts';
import type { Lease } from '../../../../src/registry/lease.ts';
import { Registry } from '../../../../src/registry/registry.ts';
import { requireRedis, startRedis, type RedisServer } from '../../../servers/redis.ts';
import { eventually } from '../../../support/eventually.ts';
import { HydraPeer } from './hydra-peer.ts';

interface Node {
  readonly serviceName: string;
  readonly instanceID: string;
  readonly ip: string;
  readonly port: number;
  readonly updatedOnTS: number;
}

/** The defaults of `hydra+redis:`. */
const timing = { ttlMs: 3000, heartbeatMs: 1000 };

describe('a fleet of ours and of hydra', { skip: requireRedis() }, () => {
  let redis: RedisServer;
  let app: Server;
  let registry: Registry;
  let redisUrl: string;

  before(async () => {
    redis = await startRedis({ password: 'secret' });
    redisUrl = `${redis.url}/0`;
    app = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      request.resume().on('end', () => {
        response.end(JSON.stringify({ by: 'ours', method: request.method, path: request.url }));
      });
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
    registry = new Registry({ ...deps, driver: openHydra(`hydra+${redisUrl}`, deps) });
  });

  after(async () => {
    await registry.close();
    app.close();
    await redis.stop();
  });

  function instanceOf(service: string, parts: Partial<Instance> = {}): Instance {
    const { port } = app.address() as AddressInfo;
    const id = `${service}-127.0.0.1-${port}-k3x`;
    return { service, id, host: '127.0.0.1', port, weight: 1, tags: [], meta: {}, ...parts };
  }

  async function register(instance: Instance): Promise<Lease> {
    const lease = registry.lease(instance, timing);
    lease.acquire();
    await eventually('the lease is active', () => lease.state.kind === 'active');
    return lease;
  }

  function request(to: string, body: object = {}): object {
    return { to, from: 'caller:/', body };
  }

  it('hydra finds and calls our app', async () => {
    const instance = instanceOf('payments', {
      version: '1.2.3',
      meta: { 'hydra.type': 'billing' },
    });
    const lease = await register(instance);
    await using peer = await HydraPeer.start('caller', redisUrl);
    assert.equal(peer.version, '1.9.3');

    const entry = (await peer.call('findService', 'payments')) as Record<string, unknown>;
    assert.equal(entry['serviceName'], 'payments');
    assert.equal(entry['type'], 'billing');
    assert.ok(!Number.isNaN(Date.parse(String(entry['registeredOn']))));

    assert.equal(await peer.call('hasServicePresence', 'payments'), true);
    const [node] = (await peer.call('getServicePresence', 'payments')) as readonly Node[];
    const hydraId = hydraIdOf('payments', instance.id);
    assert.ok(node !== undefined);
    assert.match(node.instanceID, /^[0-9a-f]{32}$/);
    const { serviceName, instanceID, ip, port } = node;
    const place = { serviceName, instanceID, ip, port };
    const expected = { serviceName: 'payments', instanceID: hydraId };
    assert.deepEqual(place, { ...expected, ip: instance.host, port: instance.port });
    assert.ok(Date.now() - node.updatedOnTS < 10_000);

    const posted = await peer.call('makeAPIRequest', request('payments:[post]/charge', { a: 1 }));
    const { statusCode, method, path } = posted as Record<string, unknown>;
    assert.deepEqual(
      { statusCode, method, path },
      { statusCode: 200, method: 'POST', path: '/charge' },
    );
    const pinned = await peer.call('makeAPIRequest', request(`${hydraId}@payments:[get]/x`));
    assert.equal((pinned as Record<string, unknown>)['path'], '/x');

    const all = (await peer.call('getServiceHealthAll')) as readonly {
      readonly health: readonly { readonly instanceID: string }[];
    }[];
    assert.ok(all.some(({ health }) => health.some((item) => item.instanceID === hydraId)));

    assert.equal(await lease.release(2000), 'released');
    assert.equal(await peer.call('hasServicePresence', 'payments'), false);
    const nodes = (await peer.call('getServiceNodes')) as readonly Node[];
    assert.deepEqual(
      nodes.filter((item) => item.serviceName === 'payments'),
      [],
    );
  });

  it('our app stays present for hydra for many lease times', async () => {
    const lease = await register(instanceOf('steady'));
    await using peer = await HydraPeer.start('caller', redisUrl);
    let absent = 0;
    await eventually('two lease times', async () => {
      if ((await peer.call('hasServicePresence', 'steady')) !== true) absent++;
      return lease.counters.renewalsOk >= 6;
    });
    assert.equal(absent, 0);
    await lease.release(2000);
  });

  it('we find and call its service, and see it stop and crash', async () => {
    const leaving = new AbortController();
    let instances: readonly Instance[] = [];
    const onSnapshot = (snapshot: { readonly instances: readonly Instance[] }): void => {
      ({ instances } = snapshot);
    };
    registry.watch('orders', onSnapshot, leaving.signal);
    await using first = await HydraPeer.start('orders', redisUrl);
    await using second = await HydraPeer.start('orders', redisUrl);
    await eventually('both are seen', () => instances.length === 2);
    const found = instances.find(({ id }) => id === first.instanceId);
    assert.ok(found !== undefined);
    assert.equal(found.host, '127.0.0.1');
    assert.equal(found.port, first.port);
    assert.equal(found.version, '4.5.6');
    assert.equal(found.meta['hydra.description'], 'the orders service');
    assert.deepEqual(await callApp(found, '/list'), { by: 'orders', path: '/list' });
    assert.ok((await registry.names()).includes('orders'));

    // Its presence goes with its shutdown: one look, and a margin for a busy machine.
    await first.call('shutdown');
    await eventually('it is gone', () => instances.length === 1, { deadlineMs: 2500 });
    second.kill();
    await eventually('the other, too', () => instances.length === 0, { deadlineMs: 5000 });
    leaving.abort();
  });

  it('tells a router its routes, which cover everything below the name', async () => {
    await using router = await HydraPeer.start('hydra-router', redisUrl);
    const lease = await register(instanceOf('stock'));
    const body = await eventually('a refresh', () =>
      router.heard
        .map((message) => (message as { readonly bdy?: unknown }).bdy)
        .find((bdy) => (bdy as { readonly serviceName?: string }).serviceName === 'stock'),
    );
    assert.deepEqual(body, { action: 'refresh', serviceName: 'stock' });
    const table = (await router.call('getAllServiceRoutes')) as Record<string, readonly string[]>;
    const routes = table['stock'] ?? [];
    for (const path of ['/stock', '/stock/', '/stock/a', '/stock/a/b?c=d']) {
      assert.notDeepEqual(await router.call('matches', routes, path), [], path);
    }
    assert.deepEqual(await router.call('matches', routes, '/stocks'), []);
    await lease.release(2000);
  });

  it("leaves a hydra instance's routes and type alone unless it is given its own", async () => {
    await using peer = await HydraPeer.start('mixed', redisUrl, ['[get]/v1/things/:id']);
    const lease = await register(instanceOf('mixed'));
    const entry = (await peer.call('findService', 'mixed')) as Record<string, unknown>;
    assert.equal(entry['type'], 'test');
    const routesOf = async (): Promise<readonly string[]> =>
      ((await peer.call('getAllServiceRoutes')) as Record<string, readonly string[]>)['mixed'] ??
      [];
    assert.ok((await routesOf()).includes('[get]/v1/things/:id'));
    lease.update(instanceOf('mixed', { meta: { 'hydra.routes': '[get]/v2/things [put]/v2' } }));
    const own = ['[get]/mixed', '[get]/mixed/', '[get]/mixed/:rest'];
    await eventually('its own routes only', async () => {
      const routes = [...(await routesOf())].sort();
      return routes.join() === ['[get]/v2/things', '[put]/v2', ...own].sort().join();
    });
    await lease.release(2000);
  });
});

async function callApp({ host, port }: Instance, path: string): Promise<unknown> {
  const [response] = (await once(get({ host, port, path }), 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const chunk of response) text += chunk.toString();
  return JSON.parse(text);
}
