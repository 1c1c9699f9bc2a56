// Peers that do what they should not: no bytes of theirs end the process, hold a connection for ever or cost out of proportion.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { byteOrigin, closedPort, RawClient, startProxy } from '../../fixture.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const okReply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const fast = { proxy: { fastLane: true } };
const megabyte = 1024 * 1024;

function post(bytes: number): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;
}

/** Sends as fast as it is taken; resolves when all of it has been. */
async function pour(client: RawClient, bytes: number): Promise<void> {
  const block = 'x'.repeat(megabyte / 4);
  for (let sent = 0; sent < bytes; sent += block.length) {
    if (client.socket.write(block)) continue;
    await eventually(`room after ${sent} bytes`, () => client.socket.writableLength === 0);
  }
}

describe('an instance', () => {
  it('with thousands of interim replies is given up, and the next request is answered', async (test) => {
    const interims = 'HTTP/1.1 100\r\n\r\n'.repeat(20_000);
    const origin = await byteOrigin(test, (socket, count) =>
      socket.write(count === 1 ? interims + okReply : okReply),
    );
    const { port } = await startProxy(test, { a: [origin.port] }, fast);
    const client = new RawClient(test, port).send(post(0));
    await client.until(/^HTTP\/1\.1 502 [^]*"bad_response"/);
    client.send(get);
    await client.until(/HTTP\/1\.1 200 OK[^]*ok$/);
  });

  it('that does not take a whole body holds nobody: the client gets the answer and goes on', async (test) => {
    const origin = await byteOrigin(test, (socket, count) => {
      if (count === 1) socket.destroy();
      else socket.write(okReply);
    });
    for (const dead of [await closedPort(), origin.port]) {
      const { port } = await startProxy(test, { a: [dead] }, fast);
      const client = new RawClient(test, port).send(post(8 * megabyte));
      await pour(client, 8 * megabyte);
      await client.until(/^HTTP\/1\.1 502 /);
      client.text = '';
      client.send(get);
      await client.until(/^HTTP\/1\.1 [25]0/);
    }
  });

  it('that takes no more of a body after its reply began is let go', async (test) => {
    const sockets: Socket[] = [];
    const origin = await byteOrigin(test, (socket) => {
      sockets.push(socket);
      socket.pause();
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    });
    // A minute passes in a tenth of a second.
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() * 600 };
    const policy = { responseTimeoutMs: 0, waitTimeoutMs: 1_000_000, connectTimeoutMs: 10_000 };
    const { port } = await startProxy(test, { a: [origin.port] }, { ...fast, policy, clock });
    const client = new RawClient(test, port).send(post(64 * megabyte));
    client.socket.write(Buffer.alloc(16 * megabyte));
    await client.until(/^HTTP\/1\.1 200 OK/);
    await client.end();
  });

  it('that takes no more of a body is not let go while it replies', async (test) => {
    const origin = await byteOrigin(test, (socket) => {
      socket.pause();
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    });
    const clock = new FakeClock();
    const { port } = await startProxy(test, { a: [origin.port] }, { ...fast, clock });
    const client = new RawClient(test, port).send(post(64 * megabyte));
    client.socket.write(Buffer.alloc(16 * megabyte));
    await client.until(/^HTTP\/1\.1 200 OK[^]*\r\n\r\n$/);
    for (const byte of 'abc') {
      await clock.advance(50_000);
      origin.sockets[0]?.write(byte);
      await client.until(new RegExp(`${byte}$`));
    }
    await clock.advance(61_000);
    await client.end();
  });

  it('gets as one chunk what came as many, and so does the client', async (test) => {
    const chunks = (text: string): string =>
      Array.from(text, (letter) => `1\r\n${letter}\r\n`).join('');
    const coded = 'Transfer-Encoding: chunked\r\n\r\n';
    const origin = await byteOrigin(test, (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\n${coded}${chunks('hello')}0\r\n\r\n`),
    );
    const { port } = await startProxy(test, { a: [origin.port] }, fast);
    const client = new RawClient(test, port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${coded}${chunks('world')}0\r\n\r\n`);
    await client.until(/\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
    assert.match(origin.received.join(''), /\r\n\r\n5\r\nworld\r\n0\r\n\r\n$/);
  });
});

describe('a client', () => {
  it('that has sent more than can be read still gets the last reply', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.write(okReply));
    const { port } = await startProxy(test, { a: [origin.port] }, fast);
    const client = new RawClient(test, port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!');
    client.send('x'.repeat(4 * megabyte));
    const reply = await client.end();
    assert.match(reply, /^HTTP\/1\.1 400 [^]*"bad_request"[^]*\}\s*$/);
  });
});
