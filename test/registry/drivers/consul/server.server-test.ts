// What only a real Consul server can show of the driver, beyond the contract suite.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { silentLogger } from '../../../../src/core/logger.ts';
import { requireConsul, startConsul, type ConsulServer } from '../../../servers/consul.ts';
import { eventually } from '../../../support/eventually.ts';
import { Agents, instanceOf } from './agents.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

describe('the Consul driver on a server', { skip: requireConsul() ?? false }, () => {
  let server: ConsulServer;
  const agents = new Agents();
  before(async () => {
    server = await startConsul({ token: 'right' });
  });
  afterEach(async () => {
    await agents.close();
    await server.clear();
  });
  after(() => server.stop());

  it('does not list instances in maintenance', async () => {
    const driver = await agents.driver(server.url);
    await driver.acquire(instanceOf(1), 30_000, soon());
    await driver.acquire(instanceOf(2), 30_000, soon());
    const recorder = await agents.watch(server.url, 'payments');
    await recorder.sees([instanceOf(1), instanceOf(2)]);
    await server.call('PUT', '/agent/service/maintenance/payments-1?enable=true&reason=test');
    await recorder.sees([instanceOf(2)]);
    assert.equal(await driver.renew(instanceOf(1), 30_000, soon()), 'ok');
    await server.call('PUT', '/agent/service/maintenance/payments-1?enable=false');
    await recorder.sees([instanceOf(1), instanceOf(2)]);
    await server.call('PUT', '/agent/maintenance?enable=true');
    await recorder.sees([]);
    await server.call('PUT', '/agent/maintenance?enable=false');
    await recorder.sees([instanceOf(1), instanceOf(2)]);
  });

  it('says which instance of its own is in maintenance, why, and until when', async () => {
    const lines: unknown[] = [];
    const note = (fields: object, text: string): void => void lines.push({ ...fields, text });
    const driver = await agents.driver(server.url, { ...silentLogger, warn: note, info: note });
    const instance = instanceOf(1);
    const { service, id } = instance;
    await driver.acquire(instance, 30_000, soon());
    const maintenance = `/agent/service/maintenance/${id}`;
    await server.call('PUT', `${maintenance}?enable=true&reason=upgrade`);
    for (let beat = 0; beat < 2; beat++)
      assert.equal(await driver.renew(instance, 30_000, soon()), 'ok');
    await server.call('PUT', `${maintenance}?enable=false`);
    for (let beat = 0; beat < 2; beat++)
      assert.equal(await driver.renew(instance, 30_000, soon()), 'ok');
    const out = 'in maintenance by Consul: nobody calls the instance';
    assert.deepEqual(lines, [
      { service, id, reason: 'upgrade', text: out },
      { service, id, text: 'out of maintenance' },
    ]);
  });

  it('registers a critical instance anew as a passing one', async () => {
    const driver = await agents.driver(`${server.url}?ttl=1s`);
    const recorder = await agents.watch(server.url, 'payments');
    await driver.acquire(instanceOf(1), 1000, soon());
    await recorder.sees([instanceOf(1)]);
    await recorder.sees([]);
    await driver.acquire(instanceOf(1), 30_000, soon());
    await recorder.sees([instanceOf(1)]);
  });

  it('lets Consul ask the instance itself where the URL says so', async () => {
    let status = 200;
    const paths = new Set<string | undefined>();
    const app = createServer((request, response) => {
      paths.add(request.url);
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(app, 'listening');
    const instance = instanceOf(1, { port: (app.address() as AddressInfo).port });
    try {
      for (const check of ['http', 'both']) {
        const query = `?check=${check}&check-path=/healthz&check-interval=1s`;
        const driver = await agents.driver(`${server.url}${query}`);
        const recorder = await agents.watch(server.url, 'payments');
        await driver.acquire(instance, 30_000, soon());
        await recorder.sees([instance]);
        assert.equal(await driver.renew(instance, 30_000, soon()), 'ok');
        status = 503;
        await recorder.sees([]);
        status = 200;
        await recorder.sees([instance]);
        await driver.release(instance, soon());
        assert.equal(await driver.renew(instance, 30_000, soon()), 'gone');
      }
      assert.deepEqual([...paths], ['/healthz']);
    } finally {
      app.closeAllConnections();
      app.close();
    }
  });

  it('keeps to a tag', async () => {
    const tagged = await agents.driver(`${server.url}?tag=live`);
    const all = await agents.driver(server.url);
    await all.acquire(instanceOf(1), 30_000, soon());
    await tagged.acquire(instanceOf(2), 30_000, soon());
    await eventually('both are listed', async () => {
      return (await all.read('payments', soon())).instances.length === 2;
    });
    assert.deepEqual((await tagged.read('payments', soon())).instances, [instanceOf(2)]);
    assert.deepEqual(await tagged.names(soon()), ['payments']);
  });

  it('takes a datacenter, and stale answers', async () => {
    const driver = await agents.driver(`${server.url}?dc=dc1&stale`);
    await driver.acquire(instanceOf(1), 30_000, soon());
    await eventually('it is listed', async () => {
      return (await driver.read('payments', soon())).instances.length === 1;
    });
    const nowhere = await agents.driver(`${server.url}?dc=nowhere`);
    await assert.rejects(nowhere.read('payments', soon()), { code: 'registry_unavailable' });
  });

  it('does not take what a token may not read for an empty service', async () => {
    const driver = await agents.driver(server.url);
    await driver.acquire(instanceOf(1), 30_000, soon());
    await eventually('it is listed', async () => {
      return (await driver.read('payments', soon())).instances.length === 1;
    });
    const secret = '99999999-2222-3333-4444-555555555555';
    await server.call('PUT', '/acl/token', { SecretID: secret });
    const powerless = await agents.driver(server.url.replace('right', secret));
    await assert.rejects(powerless.read('payments', soon()), { code: 'registry_auth' });
    await assert.rejects(powerless.names(soon()), { code: 'registry_auth' });
    await assert.rejects(powerless.acquire(instanceOf(2), 30_000, soon()), {
      code: 'registry_auth',
    });
  });

  it('keeps the list of a watcher whose token loses its rights', async () => {
    const policy = {
      Name: 'reader',
      Rules: 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }',
    };
    const { text } = await server.call('PUT', '/acl/policy', policy);
    const { ID } = JSON.parse(text) as { readonly ID: string };
    const secret = '11111111-2222-3333-4444-555555555555';
    await server.call('PUT', '/acl/token', { SecretID: secret, Policies: [{ ID }] });
    const driver = await agents.driver(server.url);
    await driver.acquire(instanceOf(1), 30_000, soon());
    const recorder = await agents.watch(
      `${server.url.replace('right', secret)}?wait=1s`,
      'payments',
    );
    await recorder.sees([instanceOf(1)]);
    recorder.mark();
    await server.call('PUT', `/acl/policy/${ID}`, {
      ...policy,
      Rules: 'key_prefix "" { policy = "read" }',
    });
    await eventually('it notices', () => recorder.latest.state === 'stale');
    assert.equal(recorder.fewest, 1);
  });

  it('needs no more rights than those in the documentation', async () => {
    const rules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
    const created = await server.call('PUT', '/acl/policy', { Name: 'agent', Rules: rules });
    const { ID } = JSON.parse(created.text) as { readonly ID: string };
    const secret = '66666666-2222-3333-4444-555555555555';
    await server.call('PUT', '/acl/token', { SecretID: secret, Policies: [{ ID }] });
    const driver = await agents.driver(server.url.replace('right', secret));
    await driver.acquire(instanceOf(1), 30_000, soon());
    assert.equal(await driver.renew(instanceOf(1), 30_000, soon()), 'ok');
    await eventually('it is listed', async () => {
      return (await driver.read('payments', soon())).instances.length === 1;
    });
    assert.deepEqual(await driver.names(soon()), ['payments']);
    await driver.release(instanceOf(1), soon());
  });
});
