// A registry that goes away, and comes back empty, is no event for those who call.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { requireRedis, startRedis } from '../servers/redis.ts';
import { Fleet, untilReady } from './agent-process.ts';
import { Load, requestJson } from './http-client.ts';

/** The part of the answer about a service that these tests look at. */
interface ServiceDocument {
  readonly use: {
    readonly snapshot: { readonly state: string; readonly ageMs: number };
    readonly endpoints: readonly unknown[];
  } | null;
}

const heartbeatMs = 3000;

describe('a registry outage', { skip: requireRedis() }, () => {
  it('of 30 s that empties it: no call fails, and all are registered again soon', async (t) => {
    const fleet = new Fleet(t);
    const redis = await startRedis();
    t.after(() => redis.stop());
    const names = ['payments-1', 'payments-2', 'payments-3'];
    const [orders] = await Promise.all([
      fleet.startRegistered({ service: 'orders', registry: redis.url }),
      ...names.map((name) =>
        fleet.startRegistered({ service: 'payments', name, registry: redis.url }),
      ),
    ]);
    const load = new Load(t, 50, () => ({ port: orders.proxyPort, path: '/payments/' }));
    await eventually('all serve', () => names.every((name) => load.served.has(name)));

    redis.pause();
    // The length of the outage itself, not a wait for something.
    await sleep(30_000);
    const during = await serviceOf(orders.adminPort);
    assert.equal(during.use?.snapshot.state, 'stale');
    assert.ok(during.use.snapshot.ageMs > 20_000, 'its age is shown');
    assert.equal(during.use.endpoints.length, 3);
    await redis.restartEmpty();

    await eventually(
      'all are registered again',
      async () => (await redis.command('HLEN', 'sd:{payments}:i')) === 3,
      { deadlineMs: heartbeatMs + 1000 },
    );
    await eventually('the list is live', async () => {
      const { use } = await serviceOf(orders.adminPort);
      return use?.snapshot.state === 'live' && use.endpoints.length === 3;
    });
    await load.stop();
    assert.deepEqual(load.failures, []);
  });

  it('at the start: the agent is up, knows the last list, and registers when it is back', async (t) => {
    const fleet = new Fleet(t);
    const redis = await startRedis();
    t.after(() => redis.stop());
    const [payments, orders] = await Promise.all([
      fleet.startRegistered({ service: 'payments', registry: redis.url }),
      fleet.startRegistered({ service: 'orders', registry: redis.url }),
    ]);
    await requestJson({ port: orders.proxyPort, path: '/payments/' });
    orders.process.kill('SIGTERM');
    await orders.exited;

    redis.pause();
    const restarted = await fleet.start({ service: 'orders', registry: redis.url });
    const livez = await requestJson({ port: restarted.adminPort, path: '/livez' });
    const readyz = await requestJson({ port: restarted.adminPort, path: '/readyz' });
    assert.deepEqual([livez.status, readyz.status], [200, 503]);
    const answer = await requestJson({ port: restarted.proxyPort, path: '/payments/' });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const { use } = await serviceOf(restarted.adminPort);
    assert.equal(use?.snapshot.state, 'stale');
    redis.resume();
    await untilReady(restarted);
    assert.equal(payments.process.exitCode, null);
  });

  it('delays the exit by no more than the time for deregistering', async (t) => {
    const fleet = new Fleet(t);
    const redis = await startRedis();
    t.after(() => redis.stop());
    const payments = await fleet.startRegistered({ service: 'payments', registry: redis.url });
    redis.pause();
    payments.process.kill('SIGTERM');
    const exited = payments.exited.then((code) => ({ code }));
    const late = sleep(10_000, undefined, { ref: false });
    assert.deepEqual(await Promise.race([exited, late]), { code: 0 });
    const line =
      payments
        .output()
        .split('\n')
        .find((text) => text.includes('"phase":"deregister","outcome"')) ?? '';
    const { outcome, durationMs } = JSON.parse(line) as {
      readonly outcome: string;
      readonly durationMs: number;
    };
    assert.notEqual(outcome, 'done');
    assert.ok(durationMs <= 2200, `deregistering took ${durationMs} ms`);
  });
});

async function serviceOf(adminPort: number): Promise<ServiceDocument> {
  const { body } = await requestJson({ port: adminPort, path: '/v1/services/payments' });
  return body as ServiceDocument;
}
