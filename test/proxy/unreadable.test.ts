// What the proxy answers to clients that speak something else than HTTP/1.1.
import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { roundTrip, startProxy } from './fixture.ts';

/** What a client says first, to a server that only listens. */
async function firstBytes(test: TestContext, connect: (port: number) => void): Promise<string> {
  const server = createServer();
  test.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = await new Promise<Socket>((resolve) => {
    server.once('connection', resolve);
    connect((server.address() as AddressInfo).port);
  });
  const bytes = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.destroy();
  return bytes.toString('latin1');
}

async function answerTo(test: TestContext, bytes: string): Promise<string> {
  const { port } = await startProxy(test, {});
  return roundTrip(test, port, bytes);
}

describe('bytes that are no request', () => {
  it('of a TLS client', async (test) => {
    const hello = await firstBytes(test, (port) => {
      connectTls({ host: '127.0.0.1', port }).on('error', () => undefined);
    });
    const answer = await answerTo(test, hello);
    assert.match(
      answer,
      /^HTTP\/1.1 400 [^]*: this looks like TLS: use http:\/\/ in place of https:/,
    );
    assert.doesNotMatch(answer, /HPE_/);
  });

  it('of an HTTP/2 client', async (test) => {
    const preface = await firstBytes(test, (port) => {
      connectHttp2(`http://127.0.0.1:${port}`).on('error', () => undefined);
    });
    const answer = await answerTo(test, preface);
    assert.match(
      answer,
      /^HTTP\/1.1 400 [^]*: HTTP\/2 is not spoken on this port: .*tcp:SERVICE=PORT/,
    );
    assert.doesNotMatch(answer, /HPE_/);
  });

  it('of anybody else', async (test) => {
    const answers = await Promise.all([
      answerTo(test, 'SSH-2.0-client\r\n'),
      answerTo(test, 'GET / HTTP/1.1\r\nBad Name: x\r\n\r\n'),
      answerTo(test, 'GET / HTTP/7.7\r\n\r\n'),
    ]);
    assert.match(answers[0], /: the method is not known \(HPE_INVALID_METHOD\)"/);
    assert.match(answers[1], /: a header has a character that it must not have \(HPE_/);
    assert.match(answers[2], /: it cannot be read as HTTP\/1.1 \(HPE_INVALID_VERSION\)"/);
  });
});
