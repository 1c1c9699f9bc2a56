// Consul's own clients and we see each other as their users expect: the npm package `consul` as it is.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import Consul from 'consul';
import { eventually } from '../../../support/eventually.ts';
import { requireConsul, startConsul, type ConsulServer } from '../../../servers/consul.ts';
import { Agents, instanceOf } from './agents.ts';

interface Entry {
  readonly Service: {
    readonly ID: string;
    readonly Service: string;
    readonly Address: string;
    readonly Port: number;
    readonly Tags: readonly string[];
    readonly Meta: Readonly<Record<string, string>>;
    readonly Weights: unknown;
  };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

describe('with the npm package consul', { skip: requireConsul() ?? false }, () => {
  let server: ConsulServer;
  let client: Consul;
  const agents = new Agents();
  before(async () => {
    server = await startConsul();
    client = new Consul({ host: '127.0.0.1', port: server.port });
  });
  after(async () => {
    await agents.close();
    await server.stop();
  });

  it('it finds what we register', async () => {
    const driver = await agents.driver(server.url);
    const instance = instanceOf(1, {
      weight: 5,
      tags: ['v2', 'canary'],
      meta: { team: 'billing' },
      version: '1.2.3',
      zone: 'eu-1a',
    });
    await driver.acquire(instance, 30_000, AbortSignal.timeout(5000));
    const found = await eventually('it is in the catalog', async () => {
      const entries = (await client.health.service({
        service: 'payments',
        passing: true,
      })) as unknown as readonly Entry[];
      return entries.length === 1 && entries[0];
    });
    const { Meta, ...service } = found.Service;
    assert.equal(service.ID, 'payments-1');
    assert.equal(service.Service, 'payments');
    assert.equal(service.Address, '127.0.0.1');
    assert.equal(service.Port, 10_001);
    assert.deepEqual(service.Tags, ['v2', 'canary']);
    assert.deepEqual(service.Weights, { Passing: 5, Warning: 1 });
    assert.equal(Meta['team'], 'billing');
    assert.equal(Meta['version'], '1.2.3');
    assert.equal(Meta['zone'], 'eu-1a');
    const check = found.Checks.find(({ CheckID }) => CheckID === 'service:payments-1:ttl');
    assert.equal(check?.Status, 'passing');
    const services = (await client.catalog.service.list()) as Readonly<Record<string, unknown>>;
    assert.deepEqual([...((services['payments'] ?? []) as string[])].sort(), ['canary', 'v2']);
    await driver.release(instance, AbortSignal.timeout(5000));
    await eventually('it is gone', async () => {
      const entries = (await client.health.service('payments')) as readonly unknown[];
      return entries.length === 0;
    });
  });

  it('we find what it registers, while its check passes', async () => {
    const recorder = await agents.watch(server.url, 'orders');
    await client.agent.service.register({
      name: 'orders',
      id: 'orders',
      address: '10.0.0.7',
      port: 9000,
      tags: ['blue'],
      meta: { version: '7', zone: 'a' },
      check: { ttl: '60s', status: 'passing' } as never,
    });
    await eventually('we see it', () => recorder.latest.instances.length === 1);
    const [instance] = recorder.latest.instances;
    assert.match(instance?.id ?? '', /^orders@/);
    assert.deepEqual(
      { ...instance, id: '' },
      {
        service: 'orders',
        id: '',
        host: '10.0.0.7',
        port: 9000,
        weight: 1,
        tags: ['blue'],
        meta: { version: '7', zone: 'a' },
        version: '7',
        zone: 'a',
      },
    );
    await client.agent.check.fail('service:orders');
    await eventually('its check fails', () => recorder.latest.instances.length === 0);
    await client.agent.check.pass('service:orders');
    await eventually('its check passes', () => recorder.latest.instances.length === 1);
    await client.agent.service.deregister('orders');
    await eventually('it is gone', () => recorder.latest.instances.length === 0);
  });
});
