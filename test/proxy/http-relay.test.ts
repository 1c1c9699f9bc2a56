import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { byteOrigin, get, httpOrigin, RawClient, roundTrip, startProxy } from './fixture.ts';

const chunked = 'Transfer-Encoding: chunked';
const host = 'Host: payments';

/** A proxy before one origin that answers every head with these bytes. */
async function startBytes(test: TestContext, reply: string) {
  const origin = await byteOrigin(test, (socket) => socket.write(reply, 'latin1'));
  const fixture = await startProxy(test, { payments: [origin.port] });
  return { origin, fixture, port: fixture.port };
}

describe('headers on the way', () => {
  it('hop-by-hop headers end here in both directions, the rest keeps its case and duplicates', async (test) => {
    const { origin, port } = await startBytes(
      test,
      'HTTP/1.1 200 Fine\r\nX-One: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\nConnection: X-Gone, keep-alive\r\n' +
        'Keep-Alive: timeout=9\r\nX-Gone: 1\r\nProxy-Authenticate: Basic\r\nOutrigger-Error: reset\r\n' +
        'Content-Length: 2\r\n\r\nok',
    );
    const reply = await roundTrip(
      test,
      port,
      'GET /x HTTP/1.1\r\nHost: Payments:80\r\nConnection: close, x-SECRET, Host, X-Forwarded-For, Cookie\r\n' +
        'X-Secret: 1\r\nCookie: c\r\nX-Forwarded-For: 9.9.9.9\r\nTE: trailers\r\nKeep-Alive: 5\r\n' +
        'Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nX-a: 1\r\nx-A: 2\r\n\r\n',
    );
    const sent = origin.received[0] ?? '';
    assert.match(sent, /^GET \/x HTTP\/1.1\r\n/);
    assert.match(sent, /\r\nhost: payments\r\n/i);
    assert.match(sent, /\r\nCookie: c\r\n[^]*\r\nX-a: 1\r\nx-A: 2\r\n/);
    assert.match(sent, /\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n/);
    assert.match(sent, /\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Payments:80\r\n/);
    assert.match(
      sent,
      /\r\nVia: 1.1 outrigger\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n/,
    );
    assert.doesNotMatch(sent, /\r\n(?:x-secret|te|keep-alive|proxy-[a-z]+):/i);
    assert.match(reply, /^HTTP\/1.1 200 Fine\r\nX-One: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\n/);
    assert.doesNotMatch(reply, /X-Gone|timeout=9|Proxy-Authenticate|Outrigger-Error/);
    assert.match(reply, /\r\nVia: 1.1 outrigger\r\n[^]*\r\n\r\nok$/);
  });

  it('a request that has been through eight agents is stopped', async (test) => {
    const { port } = await startBytes(test, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const via = Array.from({ length: 4 }, () => 'Via: 1.1 outrigger, 1.1 outrigger');
    const reply = await roundTrip(test, port, get('/', [host, ...via]));
    assert.match(reply, /^HTTP\/1.1 400 [^]*loop/);
  });
});

describe('bodies', () => {
  it('both ways with a length and chunked, and the connection is used again', async (test) => {
    let connections = 0;
    const origin = await httpOrigin(test, (req, res) => {
      res.setHeader(
        'X-Framing',
        req.headers['transfer-encoding'] ?? req.headers['content-length'] ?? '-',
      );
      req.pipe(res);
    });
    origin.server.on('connection', () => connections++);
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    client.send(`POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\n\r\nhello`);
    await client.until(/X-Framing: 5\r\n[^]*hello/);
    client.send(`PUT / HTTP/1.1\r\n${host}\r\n${chunked}\r\n\r\n3\r\nabc\r\n`);
    client.send('4;ext=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n');
    await client.until(/abc[^]*defg/);
    client.send(`DELETE / HTTP/1.1\r\n${host}\r\n${chunked}\r\n\r\n2\r\nhi\r\n0\r\n\r\n`);
    await client.until(/hi[^]*0\r\n\r\n$/);
    assert.equal(connections, 1);
  });

  it('a head without a body goes out at once and a body is forwarded while it comes', async (test) => {
    const origin = await httpOrigin(test, (req, res) => {
      req.on('data', (chunk: Buffer) => res.write(chunk));
      req.on('end', () => res.end());
    });
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    client.send(`POST / HTTP/1.1\r\n${host}\r\n${chunked}\r\n\r\n5\r\nfirst\r\n`);
    await client.until(/first/);
    client.send('6\r\nsecond\r\n');
    await client.until(/second/);
    client.send('0\r\n\r\n');
    await client.until(/0\r\n\r\n$/);
  });

  it('the head of a reply is passed on before its body comes', async (test) => {
    for (const framing of ['Content-Length: 2', chunked, 'Connection: close']) {
      const { origin, port } = await startBytes(test, `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
      const client = new RawClient(test, port).send(get('/', [host]));
      await client.until(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
      origin.sockets[0]?.end(framing === chunked ? '2\r\nok\r\n0\r\n\r\n' : 'ok');
      assert.match(await client.end(), /\r\n\r\n(?:ok|2\r\nok\r\n0\r\n\r\n)$/);
    }
  });

  it('20 MB each way arrive as they were sent', async (test) => {
    const origin = await httpOrigin(test, (req, res) => req.pipe(res));
    const { port } = await startProxy(test, { payments: [origin.port] });
    const block = randomBytes(1 << 20);
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      const upload = request({ port, method: 'POST', headers: { host: 'payments' } }, resolve);
      upload.on('error', reject);
      for (let index = 0; index < 20; index++) upload.write(block);
      upload.end();
    });
    const [expected, actual] = [createHash('sha1'), createHash('sha1')];
    for (let index = 0; index < 20; index++) expected.update(block);
    for await (const chunk of reply) actual.update(chunk as Buffer);
    assert.equal(actual.digest('hex'), expected.digest('hex'));
  });

  it('a compressed body stays as it is', async (test) => {
    const { port } = await startBytes(
      test,
      'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff',
    );
    const reply = await roundTrip(test, port, get('/', [host]));
    assert.match(
      reply,
      /Content-Encoding: gzip\r\nContent-Length: 4\r\n[^]*\r\n\r\n\x1f\x8b\x00\xff$/,
    );
  });

  it('an answer that comes before the whole request does not break the next request', async (test) => {
    const origin = await httpOrigin(test, (req, res) => {
      if (req.method === 'POST') res.writeHead(413).end('too long');
      else res.end('next');
    });
    const { port } = await startProxy(test, { payments: [origin.port] });
    const client = new RawClient(test, port);
    client.send(`POST / HTTP/1.1\r\n${host}\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(1000)}`);
    await client.until(/413[^]*too long/);
    client.send('x'.repeat(299_000));
    client.send(get('/', [host]));
    await client.until(/next/);
  });
});

describe('replies without a body', () => {
  const heads: readonly (readonly [method: string, reply: string])[] = [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
    ['HEAD', `HTTP/1.1 200 OK\r\n${chunked}\r\n\r\n`],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 77\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n'],
  ];
  for (const [method, reply] of heads)
    it(`${method} ${JSON.stringify(reply)}`, async (test) => {
      const { port } = await startBytes(test, reply);
      const client = new RawClient(test, port);
      for (let turn = 0; turn < 2; turn++) {
        client.text = '';
        client.send(`${method} / HTTP/1.1\r\n${host}\r\n\r\n`);
        const text = await client.until(/\r\n\r\n$/);
        assert.equal(text.split(' ')[1], reply.split(' ')[1]);
        assert.equal(/Content-Length: \d+/.exec(text)?.[0], /Content-Length: \d+/.exec(reply)?.[0]);
      }
    });
});

describe('replies that have no content (RFC 9110 §8.6)', () => {
  const framings = ['Content-Length: 0', 'Content-Length: 45', chunked];
  for (const framing of framings) {
    it(`204 and 1xx are passed on without ${framing}`, async (test) => {
      const interim = `HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n${framing}\r\n\r\n`;
      const { port } = await startBytes(
        test,
        `${interim}HTTP/1.1 204 No Content\r\n${framing}\r\nX-B: 2\r\n\r\n`,
      );
      const reply = await roundTrip(test, port, get('/', [host]));
      assert.match(reply, /^HTTP\/1.1 103 [^]*X-A: 1[^]*HTTP\/1.1 204 [^]*X-B: 2[^]*\r\n\r\n$/);
      assert.doesNotMatch(reply, /content-length|transfer-encoding/i);
    });

    it(`what follows a 204 with ${framing} is nobody's reply`, async (test) => {
      const origin = await byteOrigin(test, (socket, count) => {
        if (count === 1) {
          socket.write(`HTTP/1.1 204 No Content\r\n${framing}\r\n\r\n`);
          return;
        }
        // The content, late enough to meet the next request on its connection.
        if (framing !== framings[0])
          origin.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal');
      });
      const { port } = await startProxy(test, { payments: [origin.port] });
      const client = new RawClient(test, port).send(`GET / HTTP/1.1\r\n${host}\r\n\r\n`);
      await client.until(/^HTTP\/1.1 204 [^]*\r\n\r\n$/);
      client.send(get('/', [host]));
      assert.match(await client.end(), /\r\n\r\nHTTP\/1.1 200 [^]*\r\n\r\nreal$/);
      assert.equal(origin.sockets.length, framing === framings[0] ? 1 : 2);
    });
  }

  it('HEAD leaves the connection to the instance open', async (test) => {
    const { origin, port } = await startBytes(test, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    for (let turn = 0; turn < 2; turn++)
      await roundTrip(test, port, get('/', [host]).replace('GET', 'HEAD'));
    assert.equal(origin.sockets.length, 1);
    assert.doesNotMatch(origin.received.join(''), /connection: close/i);
  });
});

describe('interim replies and trailers', () => {
  it('102, 103 and unknown 1xx are passed on before the answer', async (test) => {
    const { port } = await startBytes(
      test,
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n' +
        'HTTP/1.1 150 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const reply = await roundTrip(test, port, get('/', [host]));
    const statuses = [...reply.matchAll(/^HTTP\/1.1 (\d+)/gm)].map((match) => match[1]);
    assert.deepEqual(statuses, ['102', '103', '150', '200']);
    assert.match(reply, /103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n/);
  });

  it('trailers are passed on to a client that can get them', async (test) => {
    const bytes =
      `HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n${chunked}\r\n\r\n` +
      '2\r\nok\r\n0\r\nX-Sum: 42\r\nHost: 9\r\n\r\n';
    const { port } = await startBytes(test, bytes);
    const reply = await roundTrip(test, port, get('/', [host]));
    assert.match(reply, /\r\nTrailer: X-Sum\r\n[^]*2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n$/);
    const old = await roundTrip(test, port, `GET / HTTP/1.0\r\n${host}\r\n\r\n`);
    assert.match(old, /\r\n\r\nok$/);
    assert.doesNotMatch(old, /X-Sum|chunked/);
  });

  it('100-continue is said when the body is wanted, and not when the request is refused', async (test) => {
    const origin = await httpOrigin(test, (req, res) => req.pipe(res));
    const { port } = await startProxy(test, { payments: [origin.port] });
    const expecting = (service: string): string =>
      `POST / HTTP/1.1\r\nHost: ${service}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`;
    const client = new RawClient(test, port).send(expecting('payments'));
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    client.send('body');
    await client.until(/100 Continue\r\n\r\nHTTP\/1.1 200 OK[^]*body/);
    const refused = await roundTrip(test, port, expecting('not..a..service.example'));
    assert.match(refused, /^HTTP\/1.1 403 [^]*Connection: close/);
  });
});

describe('the end of either side', () => {
  it('a client that leaves ends the request at the instance', async (test) => {
    const origin = await byteOrigin(test, (socket, count) => {
      if (count === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
    });
    const fixture = await startProxy(test, { payments: [origin.port] });
    const requests = [
      get('/', [host]),
      get('/', [host]),
      `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 9\r\n\r\nhalf`,
    ];
    for (const [index, bytes] of requests.entries()) {
      const client = new RawClient(test, fixture.port).send(bytes);
      await eventually('the request has arrived', () =>
        origin.received[index]?.includes('\r\n\r\n'),
      );
      if (index === 1) await client.until(/part/);
      client.socket.destroy();
      await eventually('the connection is closed', () => origin.sockets[index]?.readableEnded);
    }
    const { counters } = fixture.upstreams.get('payments') ?? assert.fail();
    await eventually('nothing is in flight', () => counters.inFlight === 0);
    assert.equal(counters.outcomes.counts.get('client_closed'), 3);
  });

  const truncated: readonly (readonly [what: string, reply: string, reset: boolean])[] = [
    ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', false],
    [
      'a short body and Connection: close',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf',
      false,
    ],
    ['a chunked body without its end', `HTTP/1.1 200 OK\r\n${chunked}\r\n\r\n4\r\nhalf\r\n`, false],
    ['half a chunk', `HTTP/1.1 200 OK\r\n${chunked}\r\n\r\n8\r\nhalf`, false],
    ['a malformed chunk', `HTTP/1.1 200 OK\r\n${chunked}\r\n\r\n4\r\nhalf\r\nzz\r\n`, false],
    ['a reset in a body without length', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf', true],
    ['a reset in a body with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', true],
  ];
  for (const [what, reply, reset] of truncated)
    it(`${what} never ends well for the client`, async (test) => {
      const origin = await byteOrigin(test, (socket) => {
        socket.write(reply);
      });
      const { port } = await startProxy(test, { payments: [origin.port] });
      const outcome = await new Promise<string>((resolve) => {
        const call = request({ port, headers: { host: 'payments' } }, (res) => {
          res.on('data', () => {
            if (reset) origin.sockets[0]?.resetAndDestroy();
            else origin.sockets[0]?.end();
          });
          res.on('end', () => resolve('complete'));
          res.on('error', () => resolve('cut'));
        });
        call.on('error', () => resolve('cut'));
        call.end();
      });
      assert.equal(outcome, 'cut');
    });

  it('a body that ends with the connection is passed on as complete', async (test) => {
    const origin = await byteOrigin(test, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nwhole'));
    const { port } = await startProxy(test, { payments: [origin.port] });
    assert.match(await roundTrip(test, port, get('/', [host])), /5\r\nwhole\r\n0\r\n\r\n$/);
  });
});
