import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ConfigError } from '../../src/core/errors.ts';
import { eventually } from '../support/eventually.ts';
import { settle } from '../support/fake-clock.ts';
import {
  AcceptedSockets,
  byteOrigin,
  get,
  ProxyFixture,
  RawClient,
  roundTrip,
  startProxy,
} from './fixture.ts';

const host = 'Host: payments';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function socketPath(test: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'outrigger-'));
  test.after(() => rm(directory, { recursive: true }));
  return join(directory, 'p.sock');
}

function onSocket(path: string): ProxyFixture {
  const listener = { service: 'payments', protocol: 'http', on: { path } } as const;
  return new ProxyFixture({}, { proxy: { upstreamListeners: [listener] } });
}

describe('start', () => {
  it('fails with the flag and the address when the port is in use, and leaves nothing open', async (test) => {
    const { port } = await startProxy(test, {});
    const on = { address: { host: '127.0.0.1', port } };
    const listener = { service: 'payments', protocol: 'tcp', on } as const;
    const second = new ProxyFixture({}, { proxy: { upstreamListeners: [listener] } });
    await assert.rejects(second.proxy.start(), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(
        error.message,
        /^--upstream tcp:payments 127.0.0.1:\d+: another process listens there/,
      );
      return true;
    });
    assert.equal(second.proxy.address, undefined);
    await second.close();
  });

  it('takes over the socket file of a dead process only', async (test) => {
    const path = await socketPath(test);
    const living = onSocket(path);
    await living.proxy.start();
    const intruder = onSocket(path);
    await assert.rejects(intruder.proxy.start(), /--upstream payments .*p.sock: another process/);
    await intruder.close();
    assert.equal((await stat(path)).isSocket(), true);
    await living.close();

    await leaveSocketFile(path);
    const heir = onSocket(path);
    await heir.proxy.start();
    await heir.close();

    await writeFile(path, 'precious');
    const careful = onSocket(path);
    await assert.rejects(careful.proxy.start(), ConfigError);
    await careful.close();
    assert.equal((await stat(path)).size, 8);
  });
});

/** A socket file without a process, as SIGKILL leaves it. */
async function leaveSocketFile(path: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  const child = spawn(process.execPath, ['-e', script]);
  await new Promise((resolve) => child.once('exit', resolve));
  assert.equal((await stat(path)).isSocket(), true);
}

describe('a proxy with all the connections that it may have', () => {
  it('closes further ones at once, and takes new ones when old ones have ended', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(ok));
    const fixture = new ProxyFixture({ payments: [origin.port] }, { proxy: { connectionsMax: 2 } });
    test.after(() => fixture.close());
    await fixture.proxy.start();
    const held = [1, 2].map(() => new RawClient(test, fixture.port));
    await eventually('both are connected', () => fixture.proxy.connections === 2);
    assert.equal(await new RawClient(test, fixture.port).end(), '');
    held[0]?.socket.destroy();
    await eventually('there is room', () => fixture.proxy.connections === 1);
    assert.match(await roundTrip(test, fixture.port, get('/', [host])), /200 OK/);
  });
});

describe('a connection on which nothing has come', () => {
  it('is kept for a first request as long as for a next one', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(ok));
    const accepted = new AcceptedSockets(test);
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    const side = await accepted.of(client);
    // What Node's server reports of it after the time for a head.
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    (side as Socket & { server: Server }).server.emit('clientError', late, side);
    assert.match(await client.send(get('/', [host])).end(), /^HTTP\/1.1 200 /);
  });
});

describe('a client that is sending a body', () => {
  it('is not let go for an instance that takes no more of it', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.pause());
    const accepted = new AcceptedSockets(test);
    const options = { proxy: { fastLane: false }, policy: { responseTimeoutMs: 0 } };
    const { port } = await startProxy(test, { payments: [origin.port] }, options);
    const client = new RawClient(test, port);
    client.send(`POST / HTTP/1.1\r\n${host}\r\nContent-Length: 99000000\r\n\r\n`);
    client.socket.write(Buffer.alloc(16_000_000));
    const side = await accepted.of(client);
    await eventually('the head has arrived', () => origin.received[0]?.includes('\r\n\r\n'));
    let before = -1;
    const isHeldBack = (): boolean => {
      const still = side.bytesRead === before;
      before = side.bytesRead;
      return still;
    };
    await eventually('it is held back', isHeldBack, { everyMs: 200 });
    side.emit('timeout');
    origin.sockets[0]?.write(ok);
    await client.until(/^HTTP\/1\.1 200 /);
  });
});

describe('drain', () => {
  it('ends idle connections, lets requests finish and their connections end, takes no new ones', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const fixture = await startProxy(test, { payments: [origin.port] });
    const idle = new RawClient(test, fixture.port);
    const before = new RawClient(test, fixture.port).send(`GET / HTTP/1.1\r\n${host}\r\n\r\n`);
    const during = new RawClient(test, fixture.port).send(`GET / HTTP/1.1\r\n${host}\r\n\r\n`);
    await eventually('both have arrived', () => origin.received.length === 2);
    await eventually('all are connected', () => fixture.proxy.connections === 3);
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha';
    origin.sockets[0]?.write(half);
    await eventually('a head was passed on', () => before.text + during.text !== '');
    const { port } = fixture;
    const drained = fixture.proxy.drain(10_000);
    await idle.end();
    const refused = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => refused.once('listening', resolve));
    refused.close();
    origin.sockets[0]?.write('lf');
    origin.sockets[1]?.write(ok);
    const replies = [await before.end(), await during.end()];
    assert.ok(replies.some((reply) => /Connection: close[^]*ok$/.test(reply)));
    assert.ok(replies.some((reply) => reply.endsWith('half')));
    await drained;
    assert.equal(fixture.proxy.connections, 0);
  });

  it('refuses what would outlast it: tunnels and upgrades', async (test) => {
    const fixture = await startProxy(test, { payments: [1] });
    const upgrade =
      'GET / HTTP/1.1\r\nHost: payments\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
    const heads = ['CONNECT payments:80 HTTP/1.1\r\nHost: payments:80\r\n', upgrade];
    // Their heads are still under way when the drain begins.
    const clients = heads.map((head) => new RawClient(test, fixture.port).send(head));
    await eventually('both are connected', () => fixture.proxy.connections === 2);
    await settle();
    const drained = fixture.proxy.drain(10_000);
    for (const client of clients) {
      const reply = await client.send('\r\n').end();
      assert.match(reply, /^HTTP\/1\.1 503 [^]*Outrigger-Error: draining\r\n/);
    }
    await drained;
  });

  it('gives up at its timeout, and close ends what is left', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const fixture = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, fixture.port).send(get('/', [host]));
    const tunnel = new RawClient(test, fixture.port);
    tunnel.send('CONNECT payments:80 HTTP/1.1\r\nHost: payments:80\r\n\r\n');
    await tunnel.until(/200/);
    await eventually('both have arrived', () => origin.sockets.length === 2);
    await fixture.proxy.drain(20);
    assert.equal(client.closed, false);
    await fixture.proxy.close();
    await client.end();
    await tunnel.end();
    await eventually('the instance is told', () =>
      origin.sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed),
    );
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    assert.equal(counters.inFlight, 0);
  });
});

describe('connections to instances', () => {
  it('are kept for a while and end with the instance', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(ok));
    const fixture = await startProxy(test, { payments: [origin.port] });
    for (let turn = 0; turn < 3; turn++) await roundTrip(test, fixture.port, get('/', [host]));
    assert.equal(origin.sockets.length, 1);
    assert.equal(origin.sockets[0]?.readableEnded, false);
    fixture.set('payments', []);
    await eventually('the connection ends', () => origin.sockets[0]?.readableEnded);
  });

  it('end after the idle time', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(ok));
    const policy = { idleTimeoutMs: 30 };
    const { port } = await startProxy(test, { payments: [origin.port] }, { policy });
    await roundTrip(test, port, get('/', [host]));
    await eventually('the connection ends', () => origin.sockets[0]?.readableEnded);
  });
});

describe('tunnels', () => {
  const asks = 'CONNECT payments:80 HTTP/1.1\r\nHost: payments:80\r\n\r\n';

  it('pass on each half on its own, with what was sent ahead', async (test) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      let heard = '';
      socket.on('data', (chunk) => (heard += chunk.toString()));
      socket.on('end', () => socket.end(`heard ${heard}`));
    });
    test.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const fixture = await startProxy(test, { payments: [port] });
    const client = new RawClient(test, fixture.port).send(`${asks}ahead,`);
    await client.until(/200 Connection Established\r\n\r\n/);
    client.socket.end('after');
    assert.match(await client.end(), /heard ahead,after$/);
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    await eventually('nothing is in flight', () => counters.inFlight === 0);
  });

  it('go to another instance when one refuses, and say why when all do', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.end(ok));
    const refusing = { host: '127.0.0.1', port: 1 };
    const { port } = await startProxy(test, {
      payments: [refusing, origin.port],
      orders: [refusing],
    });
    const client = new RawClient(test, port).send(asks);
    await client.until(/^HTTP\/1.1 200 /);
    const none = await roundTrip(test, port, asks.replaceAll('payments', 'orders'));
    assert.match(none, /^HTTP\/1.1 502 [^]*Outrigger-Retryable: never-sent[^]*ECONNREFUSED/);
  });

  it('are broken when one side breaks', async (test) => {
    const origin = await byteOrigin(test, (socket) => void socket.resetAndDestroy());
    const fixture = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, fixture.port).send(asks);
    await client.until(/200/);
    client.send('x\r\n\r\n');
    await client.end();
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    assert.equal(counters.outcomes.counts.get('reset'), 1);
    assert.equal(counters.inFlight, 0);
  });
});
