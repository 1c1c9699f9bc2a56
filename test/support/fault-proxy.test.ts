// The fault proxy does what it says: a suite that trusts it tests nothing when it does not.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { eventually } from './eventually.ts';
import { FaultProxy } from './fault-proxy.ts';

describe('FaultProxy', () => {
  let echo: Server;
  let proxy: FaultProxy;
  const clients = new Set<Socket>();

  before(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { address, port } = echo.address() as AddressInfo;
    proxy = await FaultProxy.start({ host: address, port });
  });

  after(async () => {
    for (const client of clients) client.destroy();
    await proxy.close();
    echo.close();
  });

  /** A connection through the proxy, and what it has received. */
  async function open(): Promise<{ socket: Socket; received: () => string }> {
    const socket = connect(proxy.address);
    clients.add(socket);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return { socket, received: () => text };
  }

  async function echoes(text: string): Promise<void> {
    const { socket, received } = await open();
    socket.write(text);
    await eventually('the echo', () => received() === text);
    socket.destroy();
  }

  it('passes bytes and ends through', async () => {
    const { socket, received } = await open();
    socket.end('hello');
    await once(socket, 'end');
    assert.equal(received(), 'hello');
  });

  it('delays', async () => {
    proxy.set({ kind: 'delay', delayMs: 60 });
    const startMs = performance.now();
    await echoes('late');
    assert.ok(performance.now() - startMs >= 115);
    proxy.set({ kind: 'none' });
  });

  it('resets open and new connections', async () => {
    const { socket } = await open();
    const reset = once(socket, 'end');
    await eventually('the proxy has it', () => proxy.connections > 0);
    proxy.set({ kind: 'reset' });
    await assert.rejects(reset, { code: 'ECONNRESET' });
    const other = connect(proxy.address);
    clients.add(other);
    await assert.rejects(once(other, 'end'), { code: 'ECONNRESET' });
    proxy.set({ kind: 'none' });
    await echoes('well again');
  });

  it('swallows everything, for ever on connections that were there', async () => {
    const { socket, received } = await open();
    socket.write('before');
    await eventually('the echo', () => received() === 'before');
    proxy.set({ kind: 'blackHole' });
    socket.write('lost');
    const during = await open();
    during.socket.write('lost too');
    proxy.set({ kind: 'none' });
    socket.write('still lost');
    await echoes('a new connection works');
    assert.equal(received(), 'before');
    assert.equal(during.received(), '');
    assert.equal(socket.destroyed || during.socket.destroyed, false);
  });

  it('drips', async () => {
    proxy.set({ kind: 'drip', everyMs: 5 });
    const { socket, received } = await open();
    socket.write('slow');
    await eventually('a part of the echo', () => received().length > 0 && received().length < 4, {
      everyMs: 1,
    });
    await eventually('all of it', () => received() === 'slow');
    proxy.set({ kind: 'none' });
  });
});
