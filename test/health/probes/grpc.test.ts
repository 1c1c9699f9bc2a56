// The gRPC probe against a real HTTP/2 server that speaks the health protocol.
import assert from 'node:assert/strict';
import { createServer as createHttp1Server } from 'node:http';
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { grpcProbe } from '../../../src/health/probes/grpc.ts';
import { causeOf, listen, rawServer, refusingPort, runProbe } from './support.ts';

interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly message: Buffer;
}

/** A server that answers each call with `answer`, and the calls that it got. */
async function healthServer(t: TestContext, answer: (stream: ServerHttp2Stream) => void) {
  const calls: Call[] = [];
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      calls.push({ headers, message: Buffer.concat(chunks) });
      answer(stream);
    });
  });
  return { port: await listen(t, server), calls };
}

/** A complete answer: one message, then the trailers. */
function reply(stream: ServerHttp2Stream, message: Buffer, trailers: OutgoingHttpHeaders): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  stream.end(message);
}

const framed = (...bytes: number[]) => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);
const ok = { 'grpc-status': '0' };

const probeOf = (port: number, service = '') =>
  grpcProbe({ target: { host: '127.0.0.1', port }, service });

/** What the probe says of a server with this answer. */
async function probeAnswer(t: TestContext, answer: (stream: ServerHttp2Stream) => void) {
  const { port } = await healthServer(t, answer);
  return runProbe(probeOf(port));
}

describe('grpc probe', () => {
  it('passes when the status is SERVING', async (t) => {
    const result = await probeAnswer(t, (stream) => {
      reply(stream, framed(0x08, 1), ok);
    });
    assert.deepEqual(result, { ok: true });
  });

  it('calls grpc.health.v1.Health/Check with the name of the service', async (t) => {
    const { port, calls } = await healthServer(t, (stream) => {
      reply(stream, framed(0x08, 1), ok);
    });
    await runProbe(probeOf(port, 'shop.Cart'));
    await runProbe(probeOf(port));
    await runProbe(probeOf(port, 'x'.repeat(200)));
    assert.equal(calls[0]?.headers[':method'], 'POST');
    assert.equal(calls[0].headers[':path'], '/grpc.health.v1.Health/Check');
    assert.equal(calls[0].headers['content-type'], 'application/grpc');
    assert.equal(calls[0].headers['te'], 'trailers');
    assert.deepEqual(calls[0].message, framed(0x0a, 9, ...Buffer.from('shop.Cart')));
    assert.deepEqual(calls[1]?.message, framed());
    const long = framed(0x0a, 0xc8, 0x01, ...Buffer.alloc(200, 'x'));
    assert.deepEqual(calls[2]?.message, long);
  });

  it('fails on every other serving status', async (t) => {
    let message = framed(0x08, 2);
    const { port } = await healthServer(t, (stream) => {
      reply(stream, message, ok);
    });
    assert.equal(causeOf(await runProbe(probeOf(port))), 'NOT_SERVING');
    message = framed();
    assert.equal(causeOf(await runProbe(probeOf(port))), 'UNKNOWN');
    message = framed(0x08, 77);
    assert.equal(causeOf(await runProbe(probeOf(port))), '77');
  });

  it('fails on an error status, also in an answer of a head alone', async (t) => {
    const result = await probeAnswer(t, (stream) => {
      const fields = { 'grpc-status': '12', 'grpc-message': 'unknown service' };
      stream.respond({ ':status': 200, ...fields }, { endStream: true });
    });
    assert.equal(causeOf(result), 'gRPC status 12: unknown service');
    const late = await probeAnswer(t, (stream) => {
      reply(stream, Buffer.alloc(0), { 'grpc-status': '5' });
    });
    assert.equal(causeOf(late), 'gRPC status 5');
  });

  it('fails without a gRPC status, and on another HTTP status', async (t) => {
    const cut = await probeAnswer(t, (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(framed(0x08, 1));
    });
    assert.equal(causeOf(cut), 'gRPC status missing');
    const missing = await probeAnswer(t, (stream) => {
      stream.respond({ ':status': 404 }, { endStream: true });
    });
    assert.equal(causeOf(missing), 'status 404');
  });

  it('fails on an answer that is no HealthCheckResponse', async (t) => {
    let message = Buffer.from('hello');
    const { port } = await healthServer(t, (stream) => {
      reply(stream, message, ok);
    });
    for (message of [
      Buffer.from('hello'),
      Buffer.from([0]),
      Buffer.from([1, 0, 0, 0, 2, 8, 1]),
      Buffer.from([0, 0, 0, 0, 9, 8, 1]),
      framed(0x10, 1),
    ]) {
      assert.match(causeOf(await runProbe(probeOf(port))), /no HealthCheckResponse/);
    }
    message = Buffer.alloc(100_000);
    assert.equal(causeOf(await runProbe(probeOf(port))), 'the answer is too long');
  });

  it('fails when the stream is reset or the connection is closed', async (t) => {
    for (const code of [
      constants.NGHTTP2_NO_ERROR,
      constants.NGHTTP2_CANCEL,
      constants.NGHTTP2_INTERNAL_ERROR,
    ]) {
      const reset = await probeAnswer(t, (stream) => {
        stream.close(code);
      });
      assert.match(causeOf(reset), /without an answer|INTERNAL_ERROR/);
    }
    const closed = await probeAnswer(t, (stream) => stream.session?.destroy());
    assert.match(causeOf(closed), /without an answer|closed/);
  });

  it('fails when the connection is closed without a word', async (t) => {
    const port = await rawServer(t, (socket) => socket.end());
    assert.equal((await runProbe(probeOf(port))).ok, false);
  });

  it('fails on a server that does not speak HTTP/2', async (t) => {
    const port = await listen(t, createHttp1Server());
    assert.equal((await runProbe(probeOf(port))).ok, false);
  });

  it('times out when there is no answer, and closes the connection', async (t) => {
    const closed = new Promise((resolve) => {
      void rawServer(t, (socket) => {
        socket.resume();
        socket.on('close', resolve);
      }).then(async (port) => {
        const result = await runProbe(probeOf(port), 200);
        assert.deepEqual(result, { ok: false, refused: false, cause: 'timed out' });
      });
    });
    await closed;
  });

  it('says that a connection was refused', async () => {
    const result = await runProbe(probeOf(await refusingPort()));
    assert.equal(result.ok, false);
    assert.equal(result.refused, true);
  });
});
