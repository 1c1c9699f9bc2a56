// What is not HTTP in the middle of a connection, on both lanes: the replies before it are not lost, and it has one answer at most.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { byteOrigin, RawClient, startProxy, type ByteOrigin } from '../fixture.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const chunkedPost = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
const refused =
  /^HTTP\/1\.1 400 [^]*Outrigger-Error: bad_request\r\n[^]*the chunked body is malformed[^]*\}\n$/;

const malformed: readonly string[] = [
  'zz\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '5\r\nhello!\r\n',
  '-1\r\n',
  '0\r\nBad Trailer\r\n\r\n',
  '0\r\nX: \u0001\r\n\r\n',
  '0\r\nContent-Length: 3\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
];

const lanes = [
  ['fast', true],
  ['general', false],
] as const;

async function open(
  test: TestContext,
  fastLane: boolean,
  script: (socket: Socket, count: number) => void,
) {
  const origin = await byteOrigin(test, script);
  const services = { a: [origin.port] };
  const fixture = await startProxy(test, services, { proxy: { fastLane } });
  return { origin, fixture, client: new RawClient(test, fixture.port) };
}

/** The instance has seen the request end before its body did. */
async function isToldOfTheCut({ received, sockets }: ByteOrigin): Promise<void> {
  await eventually('the instance is told', () => sockets.every((socket) => socket.readableEnded));
  assert.doesNotMatch(received.join(''), /\r\n0\r\n/);
}

for (const [lane, fastLane] of lanes) {
  describe(`a malformed body on the ${lane} lane`, () => {
    for (const body of malformed) {
      it(`is answered once: ${JSON.stringify(body)}`, async (test) => {
        const { origin, fixture, client } = await open(test, fastLane, () => undefined);
        client.send(chunkedPost);
        await eventually('it has arrived', () => origin.received[0]?.includes('abc'));
        client.send(body);
        assert.match(await client.end(), refused);
        assert.equal(client.text.split('HTTP/1.1').length, 2);
        await isToldOfTheCut(origin);
        const { counters } = fixture.upstreams.get('a') ?? assert.fail();
        assert.equal(counters.inFlight, 0);
        assert.deepEqual([...counters.outcomes.counts], [['client_closed', 1]]);
      });
    }

    it('cuts the reply that has begun', async (test) => {
      const half = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha';
      const { origin, client } = await open(test, fastLane, (socket) => socket.write(half));
      client.send(chunkedPost);
      await client.until(/ha$/);
      client.send('zz\r\n');
      assert.match(await client.end(), /\r\n\r\nha$/);
      await isToldOfTheCut(origin);
    });

    it('ends the connection when the reply is already there', async (test) => {
      const { client } = await open(test, fastLane, (socket) => socket.write(ok));
      client.send(chunkedPost);
      await client.until(/ok$/);
      client.send('zz\r\n');
      assert.match(await client.end(), /^HTTP\/1\.1 200 [^]*\r\n\r\nok$/);
    });

    it('of a request that is refused anyway has no second answer', async (test) => {
      const { client } = await open(test, fastLane, () => undefined);
      client.send(chunkedPost.replace('Host: a', 'Host: b.example'));
      await client.until(/^HTTP\/1\.1 403 [^]*\}\n$/);
      client.send('zz\r\n');
      assert.equal((await client.end()).split('HTTP/1.1').length, 2);
    });

    it('whose client goes on sending is answered all the same', async (test) => {
      const { client } = await open(test, fastLane, () => undefined);
      client.send(`${chunkedPost}zz\r\n`);
      client.send('x'.repeat(4 * 1024 * 1024));
      assert.match(await client.end(), refused);
    });

    it('does not lose the reply to the request before', async (test) => {
      const { origin, client } = await open(test, fastLane, () => undefined);
      client.send(`${get}${chunkedPost}zz\r\n`);
      await eventually('the first has arrived', () => origin.received[0]?.endsWith('\r\n\r\n'));
      origin.sockets[0]?.write(ok);
      const replies = (await client.end()).split(/(?=HTTP\/1\.1)/);
      assert.match(replies[0] ?? '', /^HTTP\/1\.1 200 [^]*ok$/);
      assert.match(replies[1] ?? '', refused);
      assert.equal(replies.length, 2);
    });
  });

  describe(`what comes behind a request on the ${lane} lane`, () => {
    it('and is not HTTP is refused after the reply', async (test) => {
      const { origin, client } = await open(test, fastLane, () => undefined);
      client.send(`${get}GARBAGE\r\n\r\n`);
      await eventually('the first has arrived', () => origin.received[0]?.endsWith('\r\n\r\n'));
      client.send('more');
      origin.sockets[0]?.write(ok);
      assert.match(await client.end(), /^HTTP\/1\.1 200 [^]*okHTTP\/1\.1 400 [^]*\}\n$/);
    });

    it('that was to be the last one is not answered', async (test) => {
      const { client } = await open(test, fastLane, (socket) => socket.write(ok));
      client.send(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n') + get);
      assert.match(await client.end(), /^HTTP\/1\.1 200 [^]*\r\n\r\nok$/);
    });
  });
}
