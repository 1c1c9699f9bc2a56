import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../support/eventually.ts';
import {
  byteOrigin,
  closedPort,
  get,
  httpOrigin,
  RawClient,
  roundTrip,
  startProxy,
} from './fixture.ts';

const asking = ['Host: payments', 'Upgrade: websocket', 'Connection: Upgrade'];
const asks = `${['GET /chat HTTP/1.1', ...asking].join('\r\n')}\r\n\r\n`;
const switched =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n';

/** A WebSocket echo server. */
async function echoOrigin(test: TestContext) {
  const origin = await httpOrigin(test, (_req, res) => res.end('plain'));
  const sockets = new WebSocketServer({ server: origin.server });
  sockets.on('connection', (socket, req) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.send(`hello ${req.url ?? ''} ${req.headers.host ?? ''} ${req.headers.via ?? ''}`);
  });
  test.after(() => sockets.close());
  return { ...origin, sockets };
}

describe('WebSocket', () => {
  it('echoes through the proxy, is counted and ends on both sides', async (test) => {
    const origin = await echoOrigin(test);
    const fixture = await startProxy(test, { payments: [origin.port] });
    const client = new WebSocket(`${fixture.url}/payments//chat?a=//b`);
    const [first] = (await once(client, 'message')) as [Buffer];
    assert.equal(first.toString(), 'hello //chat?a=//b payments 1.1 outrigger');
    const data = Buffer.alloc(300_000, 'z');
    client.send(data);
    const [echoed] = (await once(client, 'message')) as [Buffer];
    assert.deepEqual(echoed, data);
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    assert.equal(counters.inFlight, 1);
    client.close(4000, 'enough');
    const [code] = (await once(client, 'close')) as [number];
    assert.equal(code, 4000);
    await eventually('nothing is in flight', () => counters.inFlight === 0);
    assert.deepEqual([...counters.outcomes.counts], [[101, 1]]);
  });

  it('goes to another instance when one refuses', async (test) => {
    const origin = await echoOrigin(test);
    const { url } = await startProxy(test, { payments: [await closedPort(), origin.port] });
    for (let turn = 0; turn < 2; turn++) {
      const client = new WebSocket(`${url}/payments/x`);
      await once(client, 'message');
      client.terminate();
    }
  });

  it('goes to another instance when one breaks before it answers', async (test) => {
    const broken = await byteOrigin(test, (socket) => void socket.resetAndDestroy());
    const good = await byteOrigin(test, (socket) => socket.write(`${switched}\x81\x02hi`));
    const services = { payments: [broken.port, good.port] };
    const { port } = await startProxy(test, services);
    const client = new RawClient(test, port).send(asks);
    await client.until(/^HTTP\/1.1 101 [^]*\x81\x02hi$/);
    assert.equal(broken.received.length, 1);
  });

  it('a broken side ends the other', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(switched));
    const fixture = await startProxy(test, { payments: [origin.port] });
    const first = new RawClient(test, fixture.port).send(asks);
    await first.until(/X-A: 1[^]*\r\n\r\n$/);
    origin.sockets[0]?.resetAndDestroy();
    await first.end();
    const second = new RawClient(test, fixture.port).send(asks);
    await second.until(/\r\n\r\n$/);
    second.socket.resetAndDestroy();
    await eventually('the instance is told', () => origin.sockets[1]?.readableEnded);
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    await eventually('nothing is in flight', () => counters.inFlight === 0);
  });

  it('one side may end its half before the other', async (test) => {
    const origin = await byteOrigin(test, (socket) => {
      socket.write(switched);
      socket.on('end', () => socket.end('last words'));
    });
    const fixture = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, fixture.port).send(asks);
    await client.until(/\r\n\r\n$/);
    client.socket.end();
    assert.match(await client.end(), /last words$/);
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    await eventually('nothing is in flight', () => counters.inFlight === 0);
  });

  it('is told to go away in a drain, between two frames', async (test) => {
    const origin = await echoOrigin(test);
    const fixture = await startProxy(test, { payments: [origin.port] });
    const client = new WebSocket(`${fixture.url}/payments/x`);
    await once(client, 'message');
    const closed = once(client, 'close') as Promise<[number]>;
    await fixture.proxy.drain(10_000);
    assert.equal((await closed)[0], 1001);

    const halfway = await byteOrigin(test, (socket) => socket.write(`${switched}\x82\x05abc`));
    const other = await startProxy(test, { payments: [halfway.port] });
    const raw = new RawClient(test, other.port).send(asks);
    await raw.until(/\x82\x05abc$/);
    const drained = other.proxy.drain(10_000);
    halfway.sockets[0]?.write('de\x81\x02no', 'latin1');
    await raw.until(/\x82\x05abcde\x88\x02\x03\xe9$/);
    raw.socket.end();
    halfway.sockets[0]?.end();
    await drained;
  });
});

describe('requests for an upgrade', () => {
  it('a plain answer is passed on, a cut one is cut', async (test) => {
    const replies = [
      'HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nfine',
      'HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf',
    ];
    const origin = await byteOrigin(test, (socket, count) => {
      socket.end(replies[count - 1] ?? '');
    });
    const fixture = await startProxy(test, { payments: [origin.port] });
    const whole = await roundTrip(test, fixture.port, asks);
    assert.match(whole, /^HTTP\/1.1 200 OK\r\n[^]*Connection: close\r\n[^]*fine$/);
    assert.doesNotMatch(whole, /Upgrade/);
    const chunked = await roundTrip(test, fixture.port, asks);
    assert.match(chunked, /^HTTP\/1.1 426 [^]*2\r\nno\r\n0\r\n\r\n$/);
    await roundTrip(test, fixture.port, asks);
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    assert.equal(counters.outcomes.counts.get('reset'), 1, 'the third is known to be cut');
    assert.equal(counters.inFlight, 0);
  });

  it('a malformed answer is a 502', async (test) => {
    const bytes = ['nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n', '\0'];
    for (const reply of bytes) {
      const origin = await byteOrigin(test, (socket) => socket.end(reply));
      const { port } = await startProxy(test, { payments: [origin.port] });
      assert.match(await roundTrip(test, port, asks), /^HTTP\/1.1 502 [^]*"service":"payments"/);
    }
  });

  it('no answer in time is a 504, no instance a 503', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const policy = { responseTimeoutMs: 40, waitTimeoutMs: 1 };
    const services = { payments: [{ port: origin.port, tags: ['a'] }] };
    const { port } = await startProxy(test, services, { policy });
    assert.match(await roundTrip(test, port, asks), /^HTTP\/1.1 504 [^]*upstream_timeout/);
    const tagged = asks.replace('Host: payments', 'Host: b.payments.svc');
    assert.match(await roundTrip(test, port, tagged), /^HTTP\/1.1 503 [^]*no_instances/);
  });

  it('any other protocol and method is carried as it is', async (test) => {
    const origin = await byteOrigin(test, (socket) => {
      socket.write('HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
      socket.on('data', (chunk) => socket.write(chunk));
    });
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    client.send('PATCH /e HTTP/1.1\r\nHost: payments\r\nUpgrade: echo/1\r\n');
    client.send('Connection: upgrade, X-Gone\r\nX-Gone: 1\r\nX-Two: a\r\nX-Two: b\r\n\r\nahead');
    await client.until(/Upgrade: echo\/1\r\n[^]*ahead$/i);
    const sent = origin.received[0] ?? '';
    assert.match(sent, /^PATCH \/e HTTP\/1.1\r\n/);
    assert.match(sent, /\r\nX-Two: a\r\nX-Two: b\r\n/);
    assert.doesNotMatch(sent, /X-Gone/);
  });

  it('h2c and an upgrade of a request with a body are ignored', async (test) => {
    const origin = await httpOrigin(test, (req, res) => req.pipe(res));
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    const java = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAE\r\n';
    client.send(`GET / HTTP/1.1\r\nHost: payments\r\n${java}\r\n`);
    await client.until(/^HTTP\/1.1 200 OK[^]*\r\n\r\n/);
    client.text = '';
    client.send(`POST / HTTP/1.1\r\nHost: payments\r\n${java}Content-Length: 9\r\n\r\nfirst`);
    client.send('half');
    await client.until(/first[^]*half/);
    client.text = '';
    client.send(get('/', [...asking, 'Content-Length: 3']).replace(/Connection: close\r\n/, ''));
    client.send('end');
    await client.until(/end/);
  });
});
