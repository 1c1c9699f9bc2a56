// Lane beside lane: whatever is sent, and however it is cut, instances and clients get the same from both.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually } from '../../../support/eventually.ts';
import { parseWithLlhttp } from '../../../support/llhttp.ts';
import { byteOrigin, httpOrigin, RawClient, startProxy } from '../../fixture.ts';

interface Lane {
  readonly name: string;
  readonly port: number;
  /** What the instance has received, one text for all its connections. */
  received(): string;
}

const okReply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** The same service behind each lane, whose instance answers with `script`. */
async function lanes(
  test: TestContext,
  script: (socket: Socket, count: number) => void,
): Promise<readonly [Lane, Lane]> {
  const open = async (fastLane: boolean): Promise<Lane> => {
    const origin = await byteOrigin(test, script);
    const { port } = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane } });
    return {
      name: fastLane ? 'fast' : 'general',
      port,
      received: () => origin.received.join(''),
    };
  };
  return [await open(true), await open(false)];
}

/** A request as the instance saw it; the connection's own fields and random ones left out. */
function seen(text: string): unknown {
  const parsed = parseWithLlhttp('request', Buffer.from(text, 'latin1'));
  assert.ok(parsed !== undefined, `the instance got no request: ${JSON.stringify(text)}`);
  const { method, target, body, complete } = parsed;
  return { method, target, body, complete, fields: fieldsOf(parsed.rawHeaders) };
}

function answered(text: string): unknown {
  const parsed = parseWithLlhttp('response', Buffer.from(text, 'latin1'));
  assert.ok(parsed !== undefined, `the client got no reply: ${JSON.stringify(text)}`);
  const { status, body, complete } = parsed;
  return { status, body, complete, fields: fieldsOf(parsed.rawHeaders) };
}

/** In the order of their names: the order among different fields means nothing (RFC 9110 §5.3). */
function fieldsOf(raw: readonly string[]): readonly string[] {
  const fields: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    if (/^(?:connection|keep-alive|traceparent|date)$/.test(name)) continue;
    fields.push(`${name}: ${(raw[index + 1] ?? '').trim()}`);
  }
  return fields.sort();
}

async function sendCut(client: RawClient, text: string, at: number): Promise<void> {
  client.socket.setNoDelay(true);
  client.send(text.slice(0, at));
  await nextTurn();
  await nextTurn();
  client.send(text.slice(at));
}

const requests: readonly (readonly [string, string])[] = [
  ['GET', 'GET /x?y=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n'],
  ['HEAD', 'HEAD /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n'],
  ['POST', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nVia: 1.0 other\r\n\r\nbody123'],
  [
    'chunked',
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n',
  ],
  ['by path', 'GET /a/b/c HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\n'],
  [
    'named hop-by-hop',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Stay: 2\r\n\r\n',
  ],
  ['absolute', 'GET http://a/z HTTP/1.1\r\nHost: a\r\nProxy-Connection: Keep-Alive\r\n\r\n'],
  [
    'with a wish for HTTP/2',
    'GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 0\r\nHost: a\r\n' +
      'HTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/17\r\n\r\n',
  ],
  [
    'with a needless length',
    'GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 other\r\nContent-Length: 0\r\n\r\n',
  ],
  ['with a needed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'],
  ['kept alive', 'GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 300\r\nTE: trailers\r\n\r\n'],
  ['obsolete', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
];

describe('requests on both lanes', () => {
  for (const [name, text] of requests) {
    it(`${name}: the instance gets the same, wherever it is cut`, async (test) => {
      const [fast, general] = await lanes(test, (socket) => socket.write(okReply));
      const results = await Promise.all(
        [fast, general].map(async (lane) => {
          const sights: unknown[] = [];
          // Every other place on the general lane costs time and shows nothing about the fast one.
          const step = lane === fast ? 1 : text.length;
          for (let at = step; at <= text.length; at += step) {
            const before = lane.received().length;
            const client = new RawClient(test, lane.port);
            await sendCut(client, text, at);
            await client.until(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n/);
            const sight = await eventually('the whole request', () => {
              const last = seen(lane.received().slice(before));
              return (last as { complete: boolean }).complete ? last : undefined;
            });
            sights.push(sight);
            client.socket.destroy();
          }
          return sights;
        }),
      );
      const [expected] = results[1] ?? [];
      for (const [index, sight] of (results[0] ?? []).entries())
        assert.deepEqual(sight, expected, `cut at ${index + 1}`);
    });
  }

  it('pipelined: each is answered in its turn, and one in doubt takes the rest with it', async (test) => {
    const origin = await httpOrigin(test, (req, res) => res.end(req.url));
    const plain = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const post = 'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    const doubtful = 'GET /3 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n';
    for (const fastLane of [true, false]) {
      const { port } = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane } });
      const client = new RawClient(test, port);
      client.send(plain('/1') + post + doubtful + plain('/4'));
      await client.until(/\/4(?:\r\n0\r\n\r\n)?$/);
      const paths = [...client.text.matchAll(/^(\/\d)(?=\r|H|$)/gm)].map(([, path]) => path);
      assert.deepEqual(paths, ['/1', '/2', '/3', '/4'], `fast lane: ${String(fastLane)}`);
    }
  });
});

const replies: readonly (readonly [string, string, boolean])[] = [
  [
    'with a length',
    'HTTP/1.1 201 Made\r\nContent-Length: 4\r\nX-A: 1\r\nConnection: X-B\r\nX-B: 2\r\n\r\nabcd',
    false,
  ],
  [
    'chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    false,
  ],
  ['until its end', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nabcdef', true],
  ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', true],
  ['without a body', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', false],
  [
    'after an interim one',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    false,
  ],
  ['an error', 'HTTP/1.1 500 Oh\r\nContent-Length: 3\r\nOutrigger-Error: no\r\n\r\nbad', false],
  ['malformed', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok', false],
];

describe('replies on both lanes', () => {
  for (const [name, text, ends] of replies) {
    it(`${name}: the client gets the same, wherever it is cut`, async (test) => {
      let at = text.length;
      const pair = await lanes(test, (socket) => {
        socket.setNoDelay(true);
        socket.write(text.slice(0, at), 'latin1');
        void nextTurn()
          .then(() => nextTurn())
          .then(() => {
            socket.write(text.slice(at), 'latin1');
            if (ends) socket.end();
          });
      });
      const ask = async (port: number): Promise<string> => {
        const client = new RawClient(test, port);
        client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        return eventually('the whole reply', () => {
          const whole = client.text.replace(/^HTTP\/1\.1 1\d\d [^]*?\r\n\r\n/, '');
          if (!whole.includes('\r\n\r\n')) return undefined;
          const parsed = parseWithLlhttp('response', Buffer.from(whole, 'latin1'));
          if (parsed?.complete !== true) return undefined;
          client.socket.destroy();
          return client.text;
        });
      };
      const [fast, general] = pair;
      const final = (reply: string): unknown =>
        answered(reply.replace(/^HTTP\/1\.1 1\d\d [^]*?\r\n\r\n/, ''));
      const expected = await ask(general.port);
      for (at = 1; at <= text.length; at++) {
        const got = await ask(fast.port);
        assert.deepEqual(withoutTimes(final(got)), withoutTimes(final(expected)), `cut at ${at}`);
        assert.equal(got.startsWith('HTTP/1.1 103'), expected.startsWith('HTTP/1.1 103'));
      }
    });
  }
});

describe('refusals on both lanes', () => {
  const asked = ['GET / HTTP/1.1\r\nHost: b.example\r\n', 'HEAD / HTTP/1.1\r\nHost: b.example\r\n'];
  for (const head of asked) {
    for (const text of [`${head}\r\n`, `${head}Connection: close\r\n\r\n`]) {
      it(`are the same to the byte: ${JSON.stringify(text)}`, async (test) => {
        const answers = [];
        for (const { port } of await lanes(test, () => undefined)) {
          const client = new RawClient(test, port).send(text);
          const whole = text.startsWith('HEAD') ? /\r\n\r\n$/ : /\}\n$/;
          answers.push((await client.until(whole)).replace(/\r\nDate: [^\r]+GMT\r/, '\r\nDate\r'));
        }
        assert.equal(answers[0], answers[1]);
        assert.match(answers[0] ?? '', /\r\nDate\r/);
      });
    }
  }
});

/** Refusals tell times, words for people, and addresses that differ between the lanes' instances. */
function withoutTimes(reply: unknown): unknown {
  const text = JSON.stringify(reply)
    .replace(/cause\\":\\"[^\\]*/g, 'cause')
    .replace(/\d{4,5}|ms\\":\d+|ageMs\\":\d+|content-length: \d+/g, 'N');
  return JSON.parse(text) as unknown;
}
