import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  byteOrigin,
  closedPort,
  get,
  httpOrigin,
  RawClient,
  roundTrip,
  startProxy,
} from './fixture.ts';

const host = 'Host: payments';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function post(body: string, headers: readonly string[] = []): string {
  const lines = ['POST /pay HTTP/1.1', host, `Content-Length: ${body.length}`, ...headers];
  return `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`;
}

const answer = (socket: Socket): void => void socket.write(ok);
const reset = (socket: Socket): void => void socket.resetAndDestroy();

describe('retries', () => {
  it('a POST whose connection is refused goes to another instance, once and with its body', async (test) => {
    const origin = await byteOrigin(test, answer);
    const services = { payments: [await closedPort(), origin.port] };
    const fixture = await startProxy(test, services);
    for (let turn = 0; turn < 3; turn++)
      assert.match(await roundTrip(test, fixture.port, post(`body-${turn}`)), /200 OK/);
    const received = origin.received.join('');
    for (let turn = 0; turn < 3; turn++)
      assert.equal(received.split(`body-${turn}`).length, 2, `body-${turn} arrived once`);
    assert.equal(fixture.upstreams.get('payments')?.counters.retries, 1);
  });

  it('a POST that an instance may have seen is not sent again, a GET is', async (test) => {
    const bad = await byteOrigin(test, reset);
    const good = await byteOrigin(test, answer);
    const services = { payments: [bad.port, good.port] };
    for (const request of [post('once'), get('/', [host]), post('twice', ['Idempotency-Key: 1'])]) {
      const { port } = await startProxy(test, services);
      const reply = await roundTrip(test, port, request);
      const isOnce = request.includes('once');
      assert.match(reply, isOnce ? /^HTTP\/1.1 502 [^]*"error":"reset"/ : /^HTTP\/1.1 200 /);
      assert.equal(reply.includes('Outrigger-Retryable'), false);
    }
    assert.equal([...bad.received, ...good.received].join('').split('once').length, 2);
    assert.equal(good.received.join('').includes('twice'), true);
  });

  it('a body that is longer than the replay buffer cannot be repeated', async (test) => {
    let count = 0;
    const origin = await httpOrigin(test, (req, res) => {
      count++;
      req.resume();
      req.on('end', () => res.destroy());
    });
    const services = { payments: [origin.port, { port: origin.port, host: 'localhost' }] };
    const { port } = await startProxy(test, services, { policy: { replayBytesMax: 1000 } });
    const key = ['Idempotency-Key: 1'];
    assert.match(await roundTrip(test, port, post('x'.repeat(1001), key)), /502 /);
    assert.equal(count, 1);
    assert.match(await roundTrip(test, port, post('x'.repeat(1000), key)), /502 /);
    assert.equal(count, 3);
  });

  it('a status worth a retry is thrown away, and the last one is passed on', async (test) => {
    const busy = await byteOrigin(test, (socket) =>
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'),
    );
    const good = await byteOrigin(test, answer);
    const both = await startProxy(test, { payments: [busy.port, good.port] });
    for (let turn = 0; turn < 4; turn++)
      assert.match(await roundTrip(test, both.port, get('/', [host])), /200 OK/);
    const alone = await startProxy(test, { payments: [busy.port] });
    assert.match(await roundTrip(test, alone.port, get('/', [host])), /503 Busy[^]*busy$/);
  });

  it('a POST on a kept connection that the instance has closed goes out on a new one', async (test) => {
    const origin = await byteOrigin(test, answer);
    const { port } = await startProxy(test, { payments: [origin.port] });
    await roundTrip(test, port, get('/', [host]));
    origin.sockets[0]?.end();
    await eventually('the proxy has closed too', () => origin.sockets[0]?.readableEnded);
    assert.match(await roundTrip(test, port, post('again')), /200 OK/);
    assert.equal(origin.sockets.length, 2);
  });

  it('a GET on a kept connection that breaks goes to the only instance again', async (test) => {
    const origin = await byteOrigin(test, (socket, count) => {
      if (count === 2) socket.resetAndDestroy();
      else socket.write(ok);
    });
    const { port } = await startProxy(test, { payments: [origin.port] });
    for (let turn = 0; turn < 2; turn++)
      assert.match(await roundTrip(test, port, get('/', [host])), /200 OK/);
    assert.equal(origin.sockets.length, 2);
  });
});

describe('answers of the agent itself', () => {
  it('say what was tried, with the address and the cause', async (test) => {
    const closed = await closedPort();
    const { port } = await startProxy(test, { payments: [closed] });
    const reply = await roundTrip(test, port, get('/', [host]));
    assert.match(reply, /^HTTP\/1.1 502 [^]*Outrigger-Error: connect_failed\r\n/);
    assert.match(reply, /\r\nOutrigger-Retryable: never-sent\r\n/);
    const body = JSON.parse(reply.split('\r\n\r\n')[1] ?? '') as Record<string, unknown>;
    const [attempt] = body['attempts'] as Record<string, unknown>[];
    assert.deepEqual(Object.keys(body), [
      'error',
      'message',
      'service',
      'tag',
      'attempts',
      'registry',
    ]);
    assert.equal(body['service'], 'payments');
    assert.equal(attempt?.['address'], `127.0.0.1:${closed}`);
    assert.equal(attempt['cause'], 'ECONNREFUSED');
    assert.equal((body['registry'] as { state: string }).state, 'live');
    const head = await roundTrip(test, port, get('/', [host]).replace('GET', 'HEAD'));
    assert.match(head, /Content-Length: \d+[^]*\r\n\r\n$/);
  });

  it('name the tag that no instance has', async (test) => {
    const services = { payments: [{ port: 1, tags: ['v1'] }] };
    const { port } = await startProxy(test, services, { policy: { waitTimeoutMs: 1 } });
    const reply = await roundTrip(test, port, get('/', ['Host: v2.payments.localhost']));
    const body = JSON.parse(reply.split('\r\n\r\n')[1] ?? '') as Record<string, unknown>;
    assert.deepEqual(
      [body['error'], body['service'], body['tag']],
      ['no_instances', 'payments', 'v2'],
    );
    assert.match(
      String(body['message']),
      /no instance that may be called: none with the tag 'v2'$/,
    );
  });

  it('say that the registry has never answered, and why', async (test) => {
    const trouble = 'connect ECONNREFUSED 127.0.0.1:6379';
    const { port } = await startProxy(test, {}, { policy: { waitTimeoutMs: 1 }, trouble });
    const reply = await roundTrip(test, port, get('/', [host]));
    assert.match(reply, /^HTTP\/1.1 503 [^]*Outrigger-Error: no_instances\r\n/);
    const body = JSON.parse(reply.split('\r\n\r\n')[1] ?? '') as Record<string, unknown>;
    assert.match(String(body['message']), /: the registry has not answered yet \(connect ECONN/);
    assert.deepEqual(body['registry'], { state: 'unknown', ageMs: null });
  });

  it('say in the same words on both lanes how a connection ended', async (test) => {
    const endings = [
      ['connection closed', (socket: Socket): void => void socket.end()],
      ['connection closed', (socket: Socket): void => void socket.end('HTTP/1.1 200 OK\r\nX')],
      ['ECONNRESET', reset],
    ] as const;
    for (const [cause, end] of endings) {
      const origin = await byteOrigin(test, end);
      const { port } = await startProxy(test, { payments: [origin.port] });
      const reply = await roundTrip(test, port, post('x'));
      assert.match(reply, new RegExp(`^HTTP/1.1 502 [^]*"error":"reset"[^]*"cause":"${cause}"`));
    }
  });

  it('come in time when the instance does not', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const services = { payments: [origin.port] };
    const { port } = await startProxy(test, services, { policy: { responseTimeoutMs: 50 } });
    for (const request of [get('/', [host]), post('slow')])
      assert.match(await roundTrip(test, port, request), /^HTTP\/1.1 504 [^]*upstream_timeout/);
    const deadline = await startProxy(test, services, { policy: { timeoutMs: 50 } });
    const reply = await roundTrip(test, deadline.port, get('/', [host]));
    assert.match(reply, /^HTTP\/1.1 504 [^]*deadline_exceeded/);
    await eventually('every connection was closed', () =>
      origin.sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed),
    );
  });

  it('come at the deadline of a request, and not before', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const policy = { timeoutMs: 10_000, retries: 0 };
    const clock = new FakeClock();
    const { port } = await startProxy(test, { payments: [origin.port] }, { policy, clock });
    const early = new RawClient(test, port).send(get('/early', [host]));
    await eventually('it has arrived', () => origin.received[0]?.endsWith('\r\n\r\n'));
    await clock.advance(6000);
    origin.sockets[0]?.write(ok);
    assert.match(await early.end(), /200 OK/);
    const late = new RawClient(test, port).send(get('/late', [host]));
    await eventually('it has arrived', () => /late[^]*\r\n\r\n$/.test(origin.received.join('')));
    await clock.advance(10_100);
    assert.match(await late.end(), /^HTTP\/1.1 504 [^]*"deadline_exceeded"/);
  });

  it('do not blame an instance for a client that sends its body slowly', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const policy = { responseTimeoutMs: 40 };
    const { port } = await startProxy(test, { payments: [origin.port] }, { policy });
    const client = new RawClient(test, port).send(post('12345').slice(0, -4));
    await eventually('the head has arrived', () => origin.received[0]?.includes('\r\n\r\n'));
    // Several response timeouts pass while the client keeps the rest back.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(client.text, '');
    client.send('2345');
    await eventually('the body has arrived', () => origin.received[0]?.endsWith('12345'));
    origin.sockets[0]?.write(ok);
    await client.until(/200 OK/);
  });
});

const malformed: readonly string[] = [
  'nonsense\r\n\r\n',
  '\0\0\0\0\0\0',
  'HTTP/1.1\r\n\r\n',
  'HTTP/9.9 200 OK\r\n\r\n',
  'HTTP/1.1 0 Zero\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 -20 OK\r\n\r\n',
  'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00',
  'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  'HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nabcde',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
  `HTTP/1.1 200 OK\r\nContent-Length: ${'0'.repeat(20)}2\r\n\r\nok`,
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a=b\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\nabc',
  'HTTP/1.1 200 OK\r\nBad Header: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\n: empty\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX-Null: a\0b\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX-Return: a\rb\r\n\r\n',
  'HTTP/1.1 200 OK\r\n folded first\r\n\r\n',
  'HTTP/1.1 200 OK\nX: y\n\nbody',
  `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`,
  `HTTP/1.1 200 OK\r\n${'X-Many: 1\r\n'.repeat(10_000)}\r\n`,
  'HTTP/2 200\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
];

/** What other servers say, which then wait for an answer. */
const foreign: readonly string[] = [
  'SSH-2.0-OpenSSH_9.2\r\n',
  '220 mail.example ESMTP\r\n',
  '\x15\x03\x01\x00\x02\x02\x46',
  '\x00\x00\x12\x04\x00\x00\x00\x00\x00',
  'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'HTTP/1.1 200 OK\r\nBad Header: 1\r\n',
];

/** Valid heads after which something is wrong: the client sees a reply, a cut one, or a 502. */
const malformedLater: readonly string[] = [
  // Some parsers pass over empty lines.
  '\r\n\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokSURPLUS',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\0\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nBad Trailer\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n__proto__: x\r\nTrailer: y\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nabcde',
  'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\n__proto__: 1\r\nconstructor: 2\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 \x01\x7f\xff\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nbody',
];

describe('replies that are not HTTP', () => {
  it('are no broken connections, and do not take their instance out at once', async (test) => {
    for (const field of ['Bad Header: 1', 'X-Null: a\0b', 'Content-Length: -1']) {
      const bytes = `HTTP/1.1 200 OK\r\n${field}\r\n\r\n`;
      const bad = await byteOrigin(test, (socket) => socket.end(bytes, 'latin1'));
      const other = await byteOrigin(test, answer);
      const { port, upstreams } = await startProxy(test, { payments: [bad.port, other.port] });
      const replies = [
        await roundTrip(test, port, post('x')),
        await roundTrip(test, port, post('y')),
      ];
      assert.match(replies.join(''), /^HTTP\/1.1 502 [^]*"error":"bad_response"/m);
      assert.equal(upstreams.get('payments')?.counters.ejections, 0);
    }
  });

  // Each as POST too: it is never retried, so the first reply decides.
  for (const bytes of malformed)
    it(`${JSON.stringify(bytes.slice(0, 70))} is a 502`, async (test) => {
      const origin = await byteOrigin(test, (socket) => socket.end(bytes, 'latin1'));
      const { port } = await startProxy(test, { payments: [origin.port] });
      for (const request of [get('/', [host]), post('x')]) {
        const reply = await roundTrip(test, port, request);
        assert.match(reply, /^HTTP\/1.1 502 [^]*Outrigger-Error: bad_response\r\n/);
      }
    });

  for (const bytes of foreign)
    it(`${JSON.stringify(bytes)} is known for no HTTP at once`, async (test) => {
      const origin = await byteOrigin(test, (socket) => socket.write(bytes, 'latin1'));
      // Nothing is ever late.
      const clock = new FakeClock();
      const { port } = await startProxy(test, { payments: [origin.port] }, { clock });
      const reply = await roundTrip(test, port, post('x'));
      assert.match(reply, /^HTTP\/1.1 502 [^]*Outrigger-Error: bad_response\r\n/);
    });

  for (const bytes of malformedLater)
    it(`${JSON.stringify(bytes.slice(0, 90))} harms nothing`, async (test) => {
      const origin = await byteOrigin(test, (socket, count) => {
        if (count > 2) socket.end(ok);
        else socket.end(bytes, 'latin1');
      });
      const { port } = await startProxy(test, { payments: [origin.port] });
      for (const request of [get('/', [host]), post('x')]) {
        const reply = await roundTrip(test, port, request);
        assert.doesNotMatch(reply, /SURPLUS|okHTTP/);
      }
      assert.match(await roundTrip(test, port, post('y')), /200 OK[^]*ok$/);
    });
});
