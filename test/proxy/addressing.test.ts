import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { get, httpOrigin, RawClient, roundTrip, startProxy } from './fixture.ts';

/** Replies with its name, the target and the headers that it got. */
async function echo(test: TestContext, name: string) {
  return httpOrigin(test, (req, res) => {
    const { host, 'outrigger-service': service, 'dapr-app-id': dapr } = req.headers;
    res.end(JSON.stringify({ name, url: req.url, host, service, dapr }));
  });
}

async function startWorld(test: TestContext) {
  const v1 = await echo(test, 'v1');
  const v2 = await echo(test, 'v2');
  const dotted = await echo(test, 'dotted');
  const directory = await mkdtemp(join(tmpdir(), 'outrigger-'));
  test.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'payments.sock');
  const address = { host: '127.0.0.1', port: 0 };
  const services = {
    payments: [{ port: v1.port }, { port: v2.port, tags: ['v2'] }],
    'pay.ments': [dotted.port],
  };
  const fixture = await startProxy(test, services, {
    proxy: {
      upstreamListeners: [
        { service: 'payments', protocol: 'http', on: { address } },
        { service: 'payments', protocol: 'http', on: { path } },
        { service: 'payments', protocol: 'tcp', on: { address } },
      ],
    },
  });
  await fixture.upstreams.refreshNames();
  return { fixture, path };
}

function bodyOf(reply: string): Record<string, string> {
  return JSON.parse(/\{.*\}/.exec(reply)?.[0] ?? '{}') as Record<string, string>;
}

describe('every addressing mode leads to an instance', () => {
  const modes: readonly (readonly [name: string, request: string, url: string])[] = [
    ['host', get('/charge?a=1', ['Host: payments']), '/charge?a=1'],
    ['host in capitals', get('/charge', ['Host: PAYMENTS']), '/charge'],
    ['host with a suffix', get('/charge', ['Host: payments.localhost:4140']), '/charge'],
    ['host with the other suffix', get('/charge', ['Host: payments.svc']), '/charge'],
    ['path', get('/payments/charge?b=/2', ['Host: localhost:4140']), '/charge?b=/2'],
    ['path of an own host', get('/payments/charge', ['Host: agent.example']), '/charge'],
    ['path without more', get('/payments?x=1', ['Host: 127.0.0.1']), '/?x=1'],
    ['header', get('/charge', ['Host: localhost', 'Outrigger-Service: payments']), '/charge'],
    ['dapr header', get('/charge', ['Host: localhost', 'dapr-app-id: payments']), '/charge'],
    ['absolute', get('http://payments/charge?c', ['Host: payments']), '/charge?c'],
  ];
  for (const [name, request, url] of modes)
    it(name, async (test) => {
      const { fixture } = await startWorld(test);
      const reply = await roundTrip(test, fixture.port, request);
      assert.match(reply, /^HTTP\/1.1 200 /);
      const { url: forwarded, host, service, dapr } = bodyOf(reply);
      assert.deepEqual(
        { forwarded, host, service, dapr },
        { forwarded: url, host: 'payments', service: undefined, dapr: undefined },
      );
    });

  it('a tag chooses among the instances, an exact name wins over a tag', async (test) => {
    const { fixture } = await startWorld(test);
    for (let turn = 0; turn < 3; turn++) {
      const tagged = await roundTrip(test, fixture.port, get('/', ['Host: v2.payments.localhost']));
      assert.equal(bodyOf(tagged)['name'], 'v2');
    }
    const exact = await roundTrip(test, fixture.port, get('/', ['Host: pay.ments.localhost']));
    assert.equal(bodyOf(exact)['name'], 'dotted');
  });

  it('a port of its own, a unix socket of its own', async (test) => {
    const { fixture, path } = await startWorld(test);
    const own = fixture.proxy.upstreamAddresses[0]?.port ?? 0;
    for (const to of [own, path]) {
      const reply = await roundTrip(test, to, get('/orders/x', ['Host: localhost:7001']));
      assert.equal(bodyOf(reply)['url'], '/orders/x');
    }
  });

  it('CONNECT and a TCP listener tunnel to an instance', async (test) => {
    const { fixture } = await startWorld(test);
    const client = new RawClient(test, fixture.port);
    client.send('CONNECT payments:80 HTTP/1.1\r\nHost: payments:80\r\n\r\n');
    await client.until(/^HTTP\/1.1 200 .*\r\n\r\n$/);
    client.send(get('/through', ['Host: anything']));
    assert.equal(bodyOf(await client.end())['url'], '/through');
    const tcp = fixture.proxy.upstreamAddresses[2]?.port ?? 0;
    const reply = await roundTrip(test, tcp, get('/tcp', ['Host: anything']));
    assert.equal(bodyOf(reply)['url'], '/tcp');
  });
});

describe('what is no service', () => {
  it('gets 403 by every mode, and the admin port is never reached', async (test) => {
    const admin = await echo(test, 'admin');
    const payments = await echo(test, 'payments');
    const services = { payments: [payments.port], trap: [admin.port] };
    const reserved = { reservedPorts: [admin.port] };
    const { port } = await startProxy(test, services, reserved);
    const requests = [
      get('/', ['Host: example.com']),
      get('/', ['Host: localhost']),
      get('/../x', ['Host: localhost']),
      get('/', ['Host: 10.0.0.1']),
      get('http://example.com/', ['Host: example.com']),
      get(`http://127.0.0.1:${admin.port}/`, [`Host: 127.0.0.1:${admin.port}`]),
      'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n',
      `CONNECT localhost:${admin.port} HTTP/1.1\r\nHost: localhost:${admin.port}\r\n\r\n`,
      get('/', ['Host: example.com', 'Upgrade: websocket', 'Connection: Upgrade']),
    ];
    for (const request of requests) {
      const reply = await roundTrip(test, port, request);
      assert.match(reply, /^HTTP\/1.1 403 [^]*Outrigger-Error: not_a_service/, request);
    }
    const trapped = await roundTrip(test, port, get('/', ['Host: trap']));
    assert.match(trapped, /^HTTP\/1.1 502 [^]*Outrigger-Error: connect_failed/);
    assert.match(trapped, /the address is the agent itself/);
  });

  it('is told how to name a service when none is named', async (test) => {
    const { port } = await startProxy(test, {});
    for (const target of ['/', '/?a=1', `http://127.0.0.1:${port}/`]) {
      const reply = await roundTrip(test, port, get(target, [`Host: 127.0.0.1:${port}`]));
      assert.match(
        reply,
        /^HTTP\/1.1 403 [^]*SERVICE\.localhost.*\/SERVICE\/.*Outrigger-Service: SERVICE/,
      );
      assert.match(reply, /'outrigger services' lists them/);
    }
  });

  it('is let through with passthrough, but not to this host', async (test) => {
    const other = await echo(test, 'other');
    const { port } = await startProxy(test, {}, { proxy: { passthrough: true } });
    const authority = `ip4-loopback.invalid:${other.port}`;
    const unknown = await roundTrip(
      test,
      port,
      get(`http://${authority}/`, [`Host: ${authority}`]),
    );
    assert.match(unknown, /^HTTP\/1.1 502 [^]*"service":"ip4-loopback.invalid:/);
    const own = `127.0.0.1:${other.port}`;
    const refused = await roundTrip(test, port, get(`http://${own}/`, [`Host: ${own}`]));
    assert.match(refused, /^HTTP\/1.1 403 /);
  });

  it('waits for the first instance of a service, and names the nearest when there is none', async (test) => {
    const payments = await echo(test, 'payments');
    const fixture = await startProxy(test, { payments: [] }, { policy: { waitTimeoutMs: 5000 } });
    const waiting = roundTrip(test, fixture.port, get('/', ['Host: payments']));
    await eventually('the call waits', () => fixture.upstreams.peek('payments'));
    fixture.set('payments', [payments.port]);
    assert.match(await waiting, /^HTTP\/1.1 200 /);

    const hasty = await startProxy(test, { payments: [1] }, { policy: { waitTimeoutMs: 1 } });
    const reply = await roundTrip(test, hasty.port, get('/', ['Host: paymnets']));
    assert.match(reply, /^HTTP\/1.1 404 [^]*Outrigger-Retryable: never-sent/);
    assert.match(reply, /did you mean 'payments'/);
  });
});
