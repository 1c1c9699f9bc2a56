import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refuseAmbiguous } from '../../src/proxy/strict.ts';
import { byteOrigin, RawClient, roundTrip, startProxy } from './fixture.ts';

function judge(target: string, rawHeaders: string[], method = 'GET', httpVersion = '1.1') {
  return refuseAmbiguous({ method, target, httpVersion, rawHeaders });
}

describe('refuseAmbiguous', () => {
  it('lets sound requests pass', () => {
    assert.equal(judge('/', ['Host', 'payments']), undefined);
    assert.equal(judge('/', ['Host', '[::1]:80', 'Content-Length', '5']), undefined);
    assert.equal(judge('/', ['host', 'a_b', 'transfer-encoding', 'Chunked']), undefined);
    assert.equal(judge('/a"<>|{}^`?b=%00', ['Host', 'a']), undefined);
    assert.equal(judge('/', [], 'GET', '1.0'), undefined);
    assert.equal(judge('http://a/', ['Host', 'A:80']), undefined);
    assert.equal(judge('a:80', ['Host', 'a:80'], 'CONNECT'), undefined);
    assert.equal(judge('http://a/', [], 'GET', '1.0'), undefined);
  });

  it('refuses other schemes than http, with or without a Host', () => {
    assert.match(judge('ftp://a/', ['Host', 'a']) ?? '', /scheme 'ftp'/);
    assert.match(judge('https://a/', [], 'GET', '1.0') ?? '', /scheme 'https'/);
  });

  const hosts = [
    '',
    ' ',
    'a/b',
    'u@a',
    'a,b',
    'a b',
    'a:b',
    'a:0',
    'a:65536',
    'a:1:2',
    '[::1',
    '::1',
    'a%2f',
    'ä',
  ];
  for (const host of hosts)
    it(`Host: ${JSON.stringify(host)}`, () => {
      assert.match(judge('/', ['Host', host]) ?? '', /Host header/);
    });

  const others: readonly (readonly [target: string, headers: string[], method?: string])[] = [
    ['/', []],
    ['/', ['Host', 'a', 'Host', 'a']],
    ['/', ['Host', 'a', 'hOST', 'b']],
    ['/#x', ['Host', 'a']],
    ['/ä', ['Host', 'a']],
    ['/a b', ['Host', 'a']],
    ['/\x7f', ['Host', 'a']],
    ['', ['Host', 'a']],
    ['*', ['Host', 'a']],
    ['*', ['Host', 'a'], 'OPTIONS'],
    ['a', ['Host', 'a']],
    ['http://a/', ['Host', 'b']],
    ['http://a:81/', ['Host', 'a']],
    ['http://u@a/', ['Host', 'a']],
    ['https://a/', ['Host', 'a']],
    ['ftp://a/', ['Host', 'a']],
    ['/', ['Host', 'a', 'Transfer-Encoding', '']],
    ['/', ['Host', 'a', 'Transfer-Encoding', 'gzip, chunked']],
    ['/', ['Host', 'a', 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['/', ['Host', 'a', 'Transfer-Encoding', 'chunked', 'Content-Length', '1']],
    ['/', ['Host', 'a', 'Content-Length', '1', 'Content-Length', '1']],
    ['/', ['Host', 'a', 'Content-Length', '+1']],
    ['/', ['Host', 'a', 'Content-Length', '']],
  ];
  for (const [target, headers, method] of others)
    it(`${method ?? 'GET'} ${JSON.stringify(target)} ${JSON.stringify(headers)}`, () => {
      assert.notEqual(judge(target, headers, method), undefined);
    });
});

describe('on the wire, ambiguous requests get 400 and never reach an instance', () => {
  const wire = [
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost:\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments\r\nHost: payments\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments@x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments, x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments/x\r\n\r\n',
    'GET * HTTP/1.1\r\nHost: payments\r\n\r\n',
    'GET /#a HTTP/1.1\r\nHost: payments\r\n\r\n',
    'GET /\xe4 HTTP/1.1\r\nHost: payments\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: payments\r\nTransfer-Encoding: \r\n\r\n',
    'POST / HTTP/1.1\r\nHost: payments\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: payments\r\nTransfer-Encoding: identity\r\n\r\n',
    'GET http://x/ HTTP/1.1\r\nHost: payments\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments\r\nExpect: the-impossible\r\n\r\n',
    'GET / HTTP/1.1\r\nHost : payments\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: payments\r\n folded\r\n\r\n',
    'GET / HTTP/1.1\nHost: payments\n\n',
    `GET / HTTP/1.1\r\nHost: payments\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`,
    'CONNECT payments:80 HTTP/1.1\r\nHost: payments:80\r\nContent-Length: 3\r\n\r\nabc',
    '\x16\x03\x01\x02\x00',
  ];
  for (const bytes of wire)
    it(JSON.stringify(bytes.slice(0, 90)), async (test) => {
      const origin = await byteOrigin(test, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      const { port } = await startProxy(test, { payments: [origin.port] });
      const client = new RawClient(test, port).send(bytes);
      const reply = await client.until(/\r\n\r\n\{.*\}\n$/);
      assert.match(reply, /^HTTP\/1.1 400 Bad Request\r\n[^]*Outrigger-Error: bad_request\r\n/);
      assert.deepEqual(origin.received, []);
    });

  it('bytes after a good request are not an answer to it', async (test) => {
    const origin = await byteOrigin(test, (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    );
    const { port } = await startProxy(test, { payments: [origin.port] });
    const reply = await roundTrip(
      test,
      port,
      'GET / HTTP/1.1\r\nHost: payments\r\n\r\nGARBAGE\r\n\r\n',
    );
    assert.doesNotMatch(reply, /GARBAGE/);
  });
});
