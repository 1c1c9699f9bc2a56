// The fast lane's parsers beside Node's own: what they accept, llhttp reads in the same way; all else is not theirs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  ReplyReader,
  type CanonicalReply,
} from '../../../../src/proxy/carriers/fast/reply-head.ts';
import { RequestReader } from '../../../../src/proxy/carriers/fast/request-head.ts';
import { parseAuthority } from '../../../../src/proxy/authority.ts';
import { replies, requests } from '../../../support/http-texts.ts';
import { parseWithLlhttp } from '../../../support/llhttp.ts';

/** Others each time; a failure tells the seed that repeats it. */
const numRuns = 20_000;

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Names and values in turn as people read them: llhttp keeps the white space at a value's end. */
const trimmed = (raw: readonly string[]): string[] => raw.map((text) => text.trim());

/** The message of this head ends for llhttp just where `body` says, and nowhere before. */
function assertFraming(
  type: 'request' | 'response',
  head: Buffer,
  body: number | 'chunked' | 'close',
): void {
  const isComplete = (rest: string): boolean | undefined =>
    parseWithLlhttp(type, Buffer.concat([head, latin1(rest)]))?.complete;
  if (body === 'chunked') {
    assert.deepEqual([isComplete('0\r\n'), isComplete('0\r\n\r\n')], [false, true]);
  } else if (body === 'close') {
    assert.equal(isComplete('0\r\n\r\n'), false);
  } else if (body <= 100_000) {
    assert.equal(isComplete('x'.repeat(body)), true);
    if (body > 0) assert.equal(isComplete('x'.repeat(body - 1)), false);
  } else {
    assert.equal(isComplete('x'.repeat(100_000)), false);
  }
}

describe('RequestReader', () => {
  // One for all of them: it must forget what it has read before.
  const reader = new RequestReader();
  const readRequest = (bytes: Buffer) => reader.read(bytes);

  it('reads a canonical request', () => {
    const bytes = latin1('GET /a?b HTTP/1.1\r\nHost: payments\r\nX-A:  1 \r\n\r\nrest');
    const request = readRequest(bytes);
    assert.ok(request !== 'doubtful');
    const { method, target, rawHeaders, host, body, close, end } = request;
    assert.deepEqual([method, target, host], ['GET', '/a?b', 'payments']);
    assert.deepEqual(rawHeaders, ['Host', 'payments', 'X-A', '1']);
    assert.deepEqual([body, close, end], [0, false, bytes.length - 4]);
  });

  const passing: readonly (readonly [string, string | undefined])[] = [
    ['Host: a\r\n', ''],
    ['A: 1\r\nHost: a\r\nB: 2\r\nConnection: close\r\nC: 3\r\n', 'A: 1\r\nB: 2\r\nC: 3\r\n'],
    ['Host: a\r\nContent-Length: 3\r\n', 'Content-Length: 3\r\n'],
    ['Transfer-Encoding: chunked\r\nHost: a\r\n', ''],
    ['Host: a\r\nTraceparent: x\r\n', 'Traceparent: x\r\n'],
    ['Host: a\r\nTE: trailers\r\nKeep-Alive: 300\r\nA: 1\r\n', 'A: 1\r\n'],
    ['Host: a\r\nA: 1\r\nProxy-Connection: Keep-Alive\r\n', 'A: 1\r\n'],
    [
      'Connection: Upgrade, HTTP2-Settings\r\nHost: a\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n',
      '',
    ],
    ['Host: a\r\nTraceparent: x\r\ntraceparent: y\r\n', undefined],
    ['Host: a\r\nvia: 1.1 x\r\n', undefined],
    ['Host: a\r\nX-Forwarded-For: x\r\n', undefined],
    ['Host: a\r\nOutrigger-Service: x\r\n', undefined],
  ];
  for (const [lines, expected] of passing) {
    it(`passes on what needs no edit of ${JSON.stringify(lines)}`, () => {
      const request = readRequest(latin1(`GET / HTTP/1.1\r\n${lines}\r\n`));
      assert.ok(request !== 'doubtful');
      assert.equal(request.passing, expected);
    });
  }

  const framed: readonly (readonly [string, number | 'chunked', boolean])[] = [
    ['Content-Length: 12', 12, false],
    ['Content-Length: 0', 0, false],
    ['transfer-encoding: chunked', 'chunked', false],
    ['Transfer-Encoding: Chunked', 'chunked', false],
    ['Connection: close', 0, true],
    ['connection: Keep-Alive', 0, false],
  ];
  for (const [line, body, close] of framed) {
    it(`reads ${line}`, () => {
      const request = readRequest(latin1(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`));
      assert.ok(request !== 'doubtful');
      assert.deepEqual([request.body, request.close], [body, close]);
    });
  }

  const head = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
  const doubtful: readonly string[] = [
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
    'get / HTTP/1.1\r\nHost: a\r\n\r\n',
    'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http://a HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http://ab/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET HTTP://a/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET  / HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\nHost: a\n\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: \r\n\r\n',
    '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    head('Host: b\r\n'),
    head('Content-Length: 1\r\nContent-Length: 1\r\n'),
    head('Content-Length: +1\r\n'),
    head('Content-Length: 1\t\r\n'),
    head('Transfer-Encoding: chunked\t\r\n'),
    head('Connection: close\t\r\n'),
    head('Content-Length: 1, 1\r\n'),
    head('Content-Length: 1234567890123456\r\n'),
    head('Transfer-Encoding: gzip, chunked\r\n'),
    head('Transfer-Encoding: chunked\r\nContent-Length: 1\r\n'),
    head('Transfer-Encoding : chunked\r\n'),
    head('Connection: upgrade\r\n'),
    head('Connection: close\r\nConnection: close\r\n'),
    head('Upgrade: websocket\r\n'),
    head('Upgrade: h2c, websocket\r\n'),
    head('Connection: upgrade, http2-settings, x\r\n'),
    head('Proxy-Connection: close\r\n'),
    head('TE: trailers\r\n'.repeat(20)),
    head('Expect: 100-continue\r\n'),
    head('TE: trailers\r\nConnection: TE\r\n'),
    head('Trailer: x\r\n'),
    head('X: a\r\n b\r\n'),
    head('X: a\rb\r\n'),
    head('X: a\u0000b\r\n'),
    head('X: \u00e9\r\n'),
    head('X y: a\r\n'),
    head(': a\r\n'),
    head(`X: ${'x'.repeat(20_000)}\r\n`),
  ];
  for (const text of doubtful) {
    it(`leaves ${JSON.stringify(text.slice(0, 70))} to others`, () => {
      assert.equal(readRequest(latin1(text)), 'doubtful');
    });
  }

  it('never accepts what llhttp refuses or reads otherwise', () => {
    let accepted = 0;
    fc.assert(
      fc.property(requests, (bytes) => {
        const request = readRequest(bytes);
        // Whoever uses the reader looks at the host.
        if (request === 'doubtful' || parseAuthority(request.host) === undefined) return;
        accepted++;
        const head = bytes.subarray(0, request.end);
        const parsed = parseWithLlhttp('request', head);
        assert.ok(parsed !== undefined, 'llhttp refuses it');
        assert.equal(parsed.method, request.method);
        assert.equal(parsed.target, request.target);
        assert.equal(parsed.version, '1.1');
        assert.deepEqual(trimmed(parsed.rawHeaders), [...request.rawHeaders]);
        // As it is when the wish for HTTP/2 is ignored.
        const plain = latin1(head.toString('latin1').replaceAll(/^upgrade: *h2c *\r\n/gim, ''));
        const declined = parseWithLlhttp('request', plain);
        assert.equal(declined?.upgrade, false);
        assert.equal(request.close, !declined.keepAlive);
        assertFraming('request', plain, request.body);
      }),
      { numRuns },
    );
    assert.ok(accepted > 500, `only ${accepted} were canonical`);
  });
});

describe('ReplyReader', () => {
  const reader = new ReplyReader();
  const read = (text: string, headOnly = false): CanonicalReply | 'incomplete' | 'bad' =>
    reader.read(latin1(text), headOnly);

  it('reads status, words and fields', () => {
    const text = 'HTTP/1.1 404 N\u00f6 such\r\nX: \u00e9\r\nContent-Length: 3\r\n\r\nabc';
    const reply = read(text);
    assert.ok(typeof reply === 'object');
    const { status, rawHeaders, body, keepAlive, keepAliveMs, end } = reply;
    assert.deepEqual(rawHeaders, ['X', '\u00e9', 'Content-Length', '3']);
    assert.deepEqual([status, body, keepAlive, keepAliveMs], [404, 3, true, Infinity]);
    assert.equal(end, text.length - 3);
  });

  it('keeps the words of the status, unless they cannot be written as they are', () => {
    const words = (line: string) => {
      const reply = read(`HTTP/1.1 ${line}\r\n\r\n`);
      return typeof reply === 'object' ? reply.statusText : reply;
    };
    assert.equal(words('200 Fine, thanks'), '200 Fine, thanks\r\n');
    assert.equal(words('404 N\u00f6'), '404 Not Found\r\n');
    assert.equal(words('200'), '200 OK\r\n');
    assert.equal(words('200 '), '200 \r\n');
    assert.equal(words('2000 OK'), 'bad');
    assert.equal(words('099 OK'), 'bad');
  });

  const passing: readonly (readonly [string, string | undefined])[] = [
    [
      'Connection: close\r\nA: 1\r\nKeep-Alive: timeout=5\r\nB: \u00e9\r\n',
      'A: 1\r\nB: \u00e9\r\n',
    ],
    ['A: 1\r\nTransfer-Encoding: chunked\r\n', 'A: 1\r\n'],
    ['Connection: x-a\r\nX-A: 1\r\n', undefined],
    ['Trailer: x\r\n', undefined],
    ['Outrigger-Retryable: never-sent\r\n', undefined],
    ['Connection: close\r\n'.repeat(17), undefined],
  ];
  for (const [lines, expected] of passing) {
    it(`passes on what needs no edit of ${JSON.stringify(lines.slice(0, 60))}`, () => {
      const reply = read(`HTTP/1.1 200 OK\r\n${lines}\r\n`);
      assert.ok(typeof reply === 'object');
      assert.equal(reply.passing, expected);
    });
  }

  it('passes no length on where there is no content', () => {
    const passed = (status: string) => {
      const reply = read(`HTTP/1.1 ${status}\r\nA: 1\r\nContent-Length: 0\r\n\r\n`);
      return typeof reply === 'object' ? reply.passing : reply;
    };
    assert.deepEqual(['204 -', '304 -'].map(passed), ['A: 1\r\n', 'A: 1\r\nContent-Length: 0\r\n']);
  });

  const framings: readonly (readonly [string, boolean, number | string, boolean])[] = [
    ['HTTP/1.1 200 OK\r\n', false, 'close', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n', false, 0, true],
    ['HTTP/1.1 200\r\nContent-Length: 5\r\nConnection: close\r\n', false, 5, false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 5\r\n', false, 5, false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n', false, 5, true],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', false, 'chunked', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', true, 0, true],
    ['HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n', false, 0, true],
    ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n', false, 0, false],
    ['HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n', false, 0, false],
    ['HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n', false, 0, true],
  ];
  for (const [lines, headOnly, body, keepAlive] of framings) {
    it(`frames ${JSON.stringify(lines)}${headOnly ? ' to HEAD' : ''}`, () => {
      const reply = read(`${lines}\r\n`, headOnly);
      assert.ok(typeof reply === 'object');
      assert.deepEqual([reply.body, reply.keepAlive], [body, keepAlive]);
    });
  }

  it('reads how long the instance keeps the connection', () => {
    const reply = read('HTTP/1.1 204 -\r\nKeep-Alive: max=9, timeout=5\r\n\r\n');
    assert.ok(typeof reply === 'object');
    assert.equal(reply.keepAliveMs, 5000);
  });

  it('waits for a whole head, within limits', () => {
    assert.equal(read('HTTP/1.1 200 OK\r\nX: 1\r\n'), 'incomplete');
    assert.equal(read(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`), 'bad');
  });

  const begun = [
    'HT',
    'HTTP/1.1 20',
    'HTTP/1.1 200 OK\r',
    'HTTP/1.0 200 OK\r\nX',
    'HTTP/1.1 200 OK\r\nX: 1\r\n\r',
  ];
  const hopeless = [
    'SSH-2.0',
    'HTTP/2',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 OK\r\nX y',
    'HTTP/1.1 200 OK\r\nX: 1\r\n\rX',
  ];
  it('waits for the rest of a head only while there can be one', () => {
    assert.deepEqual(
      begun.filter((text) => read(text) !== 'incomplete'),
      [],
    );
    assert.deepEqual(
      hopeless.filter((text) => read(text) !== 'bad'),
      [],
    );
  });

  it('never accepts what llhttp refuses or reads otherwise', () => {
    let accepted = 0;
    fc.assert(
      fc.property(replies, (bytes) => {
        const reply = reader.read(bytes, false);
        if (typeof reply === 'string') return;
        accepted++;
        const parsed = parseWithLlhttp('response', bytes.subarray(0, reply.end));
        assert.ok(parsed !== undefined, 'llhttp refuses it');
        assert.equal(parsed.status, reply.status);
        assert.deepEqual(trimmed(parsed.rawHeaders), [...reply.rawHeaders]);
        assert.ok(parsed.keepAlive || !reply.keepAlive, 'kept against the will of the instance');
        assertFraming('response', bytes.subarray(0, reply.end), reply.body);
      }),
      { numRuns },
    );
    assert.ok(accepted > 500, `only ${accepted} were accepted`);
  });
});
