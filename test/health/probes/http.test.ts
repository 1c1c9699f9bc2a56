// The HTTP probe against real servers, good and bad ones.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { ConfigError } from '../../../src/core/errors.ts';
import { httpProbe, type HttpProbeOptions } from '../../../src/health/probes/http.ts';
import { causeOf, listen, rawServer, refusingPort, runProbe } from './support.ts';

type Expectations = Omit<HttpProbeOptions, 'url'>;

const probeOf = (port: number, options: Expectations = {}) =>
  httpProbe({ url: `http://127.0.0.1:${port}/health`, ...options });

function httpServer(t: TestContext, listener: RequestListener): Promise<number> {
  return listen(t, createServer(listener));
}

/** What the probe says of a server that answers with these bytes and closes nothing by itself. */
async function probeBytes(t: TestContext, bytes: string, timeoutMs?: number) {
  const port = await rawServer(t, (socket) => {
    socket.once('data', () => socket.write(bytes));
  });
  return runProbe(probeOf(port), timeoutMs);
}

describe('http probe', () => {
  it('passes on every 2xx and fails on any other status', async (t) => {
    let status = 200;
    const port = await httpServer(t, (_request, response) => {
      response.writeHead(status).end();
    });
    for (status of [200, 204, 299]) assert.deepEqual(await runProbe(probeOf(port)), { ok: true });
    for (status of [300, 404, 500, 503]) {
      assert.equal(causeOf(await runProbe(probeOf(port))), `status ${status}`);
    }
  });

  it('sends a GET with the given headers on a connection of its own', async (t) => {
    const seen: unknown[] = [];
    let connections = 0;
    const server = createServer((request, response) => {
      const { host, authorization, connection } = request.headers;
      seen.push([request.method, request.url, host, authorization, connection]);
      response.end('ok');
    });
    server.on('connection', () => connections++);
    const port = await listen(t, server);
    const probe = probeOf(port, { headers: { Host: 'app.example', Authorization: 'Bearer x' } });
    await runProbe(probe);
    await runProbe(probe);
    const expected = ['GET', '/health', 'app.example', 'Bearer x', 'close'];
    assert.deepEqual(seen, [expected, expected]);
    assert.equal(connections, 2);
  });

  it('never follows a redirect', async (t) => {
    const urls: (string | undefined)[] = [];
    const port = await httpServer(t, (request, response) => {
      urls.push(request.url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    assert.equal(causeOf(await runProbe(probeOf(port))), 'status 302');
    assert.deepEqual(urls, ['/health']);
  });

  it('wants the expected text in the first 4 KB of the body', async (t) => {
    let body = '';
    const port = await httpServer(t, (_request, response) => response.end(body));
    const probe = probeOf(port, { expectBody: '"UP"' });
    body = '{"status":"UP"}';
    assert.deepEqual(await runProbe(probe), { ok: true });
    body = '{"status":"DOWN"}';
    assert.match(causeOf(await runProbe(probe)), /"UP"/);
    body = ' '.repeat(4092) + '"UP"';
    assert.deepEqual(await runProbe(probe), { ok: true });
    body = ' '.repeat(4093) + '"UP"';
    assert.match(causeOf(await runProbe(probe)), /4096 bytes/);
  });

  it('wants the expected headers', async (t) => {
    const port = await httpServer(t, (_request, response) => {
      response.setHeader('X-State', 'warm').end();
    });
    const passes = probeOf(port, { expectHeaders: { 'x-state': 'warm' } });
    assert.deepEqual(await runProbe(passes), { ok: true });
    const differs = probeOf(port, { expectHeaders: { 'X-State': 'cold' } });
    assert.match(causeOf(await runProbe(differs)), /X-State is "warm", not "cold"/);
    const lacks = probeOf(port, { expectHeaders: { 'X-Other': '1' } });
    assert.match(causeOf(await runProbe(lacks)), /X-Other is "", not "1"/);
  });

  it('reads no more than 4 KB of a body of 10 MB and destroys the connection', async (t) => {
    const chunk = Buffer.alloc(65_536, 'x');
    let written = 0;
    const ended = new Promise<string>((resolve) => {
      const server = createServer((_request, response) => {
        response.on('close', () => {
          resolve(response.writableFinished ? 'sent whole' : 'destroyed');
        });
        const more = (): void => {
          while (written < 10 * 2 ** 20) {
            written += chunk.length;
            if (!response.write(chunk)) {
              response.once('drain', more);
              return;
            }
          }
          response.end();
        };
        more();
      });
      void listen(t, server).then(async (port) => {
        assert.deepEqual(await runProbe(probeOf(port)), { ok: true });
      });
    });
    assert.equal(await ended, 'destroyed');
    assert.ok(written < 8 * 2 ** 20, `${written} bytes went into socket buffers`);
  });

  it('times out when there is no answer, and closes the connection', async (t) => {
    const accepted: Socket[] = [];
    const port = await rawServer(t, (socket) => accepted.push(socket));
    const result = await runProbe(probeOf(port), 200);
    assert.deepEqual(result, { ok: false, refused: false, cause: 'timed out' });
    const [socket] = accepted;
    assert.ok(socket);
    socket.resume();
    await once(socket, 'close');
  });

  it('closes the connection of a failing reply, whose body is not wanted', async (t) => {
    const closed = new Promise((resolve) => {
      void rawServer(t, (socket) => {
        socket.on('close', resolve);
        socket.once('data', () => socket.write('HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nhalf'));
      }).then(async (port) => {
        assert.equal(causeOf(await runProbe(probeOf(port))), 'status 503');
      });
    });
    await closed;
  });

  it('times out when the body does not come', async (t) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    assert.equal(causeOf(await probeBytes(t, head, 200)), 'timed out');
  });

  it('fails when the body is cut short', async (t) => {
    const port = await rawServer(t, (socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    });
    assert.match(causeOf(await runProbe(probeOf(port))), /abort/);
  });

  it('fails on a reset', async (t) => {
    const port = await rawServer(t, (socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const result = await runProbe(probeOf(port));
    assert.equal(result.ok, false);
    assert.equal(result.refused, false);
  });

  it('fails on bytes that are no HTTP', async (t) => {
    assert.match(causeOf(await probeBytes(t, 'SSH-2.0-OpenSSH_9\r\n')), /Parse Error/);
  });

  it('fails on a head without an end', async (t) => {
    const head = `HTTP/1.1 200 OK\r\n${`X-Filler: ${'x'.repeat(1000)}\r\n`.repeat(100)}`;
    assert.match(causeOf(await probeBytes(t, head)), /Parse Error/);
  });

  it('fails on a switch of protocols', async (t) => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n';
    assert.match(causeOf(await probeBytes(t, head)), /without a reply/);
  });

  it('survives bytes after the end of the reply', async (t) => {
    const bytes = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more';
    assert.deepEqual(await probeBytes(t, bytes), { ok: true });
  });

  it('says that a connection was refused', async () => {
    const result = await runProbe(probeOf(await refusingPort()));
    assert.equal(result.ok, false);
    assert.equal(result.refused, true);
  });

  it('shows no user, password or query in its name', () => {
    const { name } = httpProbe({ url: 'https://user:secret@example.com/health?token=secret' });
    assert.equal(name, 'http https://example.com/health');
  });

  it('refuses what can never be sent', () => {
    assert.throws(() => httpProbe({ url: 'ftp://localhost/' }), ConfigError);
    assert.throws(() => httpProbe({ url: 'localhost:80' }), ConfigError);
    const url = 'http://localhost/';
    assert.throws(() => httpProbe({ url, headers: { 'bad name': 'x' } }), ConfigError);
    assert.throws(() => httpProbe({ url, headers: { name: 'a\r\nb' } }), ConfigError);
  });
});
