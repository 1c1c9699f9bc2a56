// A Redis registry whose primary changes, or whose slots move, is no event for those who call.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { requireRedisCluster, startRedisCluster } from '../servers/redis-cluster.ts';
import { requireRedisSentinel, startRedisSentinel } from '../servers/redis-sentinel.ts';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { Load, requestJson } from './http-client.ts';

const times = 'ttl=3s&heartbeat=1s';
const names = ['payments-1', 'payments-2', 'payments-3'];
/** After the fail-over. */
const registeredAgainMs = 2000;
const registered = ['HLEN', 'sd:{payments}:i'] as const;

/** Three instances of a service, and an agent whose app calls them 50 times a second until the load stops. */
async function underTraffic(
  t: TestContext,
  registry: string,
): Promise<{ readonly load: Load; readonly orders: RunningAgent }> {
  const fleet = new Fleet(t);
  const [orders] = await Promise.all([
    fleet.startRegistered({ service: 'orders', registry }),
    ...names.map((name) => fleet.startRegistered({ service: 'payments', name, registry })),
  ]);
  const load = new Load(t, 50, () => ({ port: orders.proxyPort, path: '/payments/' }));
  await eventually('all serve', () => names.every((name) => load.served.has(name)));
  return { load, orders };
}

/** All are registered where `count` looks, and the calling agent's list lives and has all. */
async function heals(orders: RunningAgent, count: () => Promise<unknown>): Promise<void> {
  await eventually('all are registered', async () => (await count()) === names.length, {
    deadlineMs: registeredAgainMs,
  });
  await eventually('the list is live', async () => {
    const path = '/v1/services/payments';
    const { body } = await requestJson({ port: orders.adminPort, path });
    const { use } = body as {
      readonly use: {
        readonly snapshot: { readonly state: string };
        readonly endpoints: readonly unknown[];
      } | null;
    };
    return use?.snapshot.state === 'live' && use.endpoints.length === names.length;
  });
}

/** Goes on for a lease time, in which what was lost would show. */
async function endsWithoutFailure(load: Load): Promise<void> {
  const enough = load.sent + 50 * 4;
  await eventually('more calls', () => load.sent > enough);
  await load.stop();
  assert.deepEqual(load.failures, []);
}

describe('a Redis primary', { skip: requireRedisSentinel() }, () => {
  it('that is killed, and one that is replaced: no call fails', async (t) => {
    const group = await startRedisSentinel({ password: 'right' });
    t.after(() => group.stop());
    const { load, orders } = await underTraffic(t, `${group.url}?${times}`);

    await group.untilFailedOver(await group.killPrimary());
    await heals(orders, () => group.command(...registered));
    await group.untilWhole();
    await group.untilFailedOver(await group.failOver());
    await heals(orders, () => group.command(...registered));
    await endsWithoutFailure(load);
  });
});

describe('a slot of a Redis Cluster', { skip: requireRedisCluster() }, () => {
  it('that moves to another server: no call fails', async (t) => {
    const cluster = await startRedisCluster({ password: 'right' });
    t.after(() => cluster.stop());
    const { load, orders } = await underTraffic(t, `${cluster.url}?${times}`);

    const [to] = await cluster.othersThan(await cluster.ownerOf('payments'));
    assert.ok(to !== undefined);
    await cluster.moveSlotOf('payments', to);
    assert.equal(await cluster.ownerOf('payments'), to);
    await heals(orders, () => cluster.command('payments', ...registered));
    await endsWithoutFailure(load);
  });
});
