// Clients that read slowly or not at all: replies to them neither pile up nor get lost.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  AcceptedSockets,
  byteOrigin,
  httpOrigin,
  RawClient,
  roundTrip,
  startProxy,
} from '../fixture.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const last = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const bodyBytes = 16_000;

const replies = (client: RawClient): number => client.text.split('x'.repeat(bodyBytes)).length - 1;

/** A proxy before an instance with short bodies, and a client of it that does not read for now. */
async function open(test: TestContext, fastLane: boolean) {
  const accepted = new AcceptedSockets(test);
  let count = 0;
  const origin = await httpOrigin(test, (_req, res) => {
    count++;
    res.end('x'.repeat(bodyBytes));
  });
  const fixture = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane } });
  const client = new RawClient(test, fixture.port);
  client.socket.pause();
  const side = await accepted.of(client);
  return { fixture, client, side, count: () => count };
}

/** Asks until not all that was answered can be sent. */
async function fill({ fixture, client, side, count }: Awaited<ReturnType<typeof open>>) {
  const { counters } = fixture.upstreams.get('a') ?? assert.fail();
  for (let asked = 1; side.writableLength === 0; asked++) {
    client.send(get);
    const isAnswered = (): boolean => count() === asked && counters.inFlight === 0;
    await eventually('it is answered', isAnswered, { everyMs: 1 });
  }
  return count();
}

for (const fastLane of [true, false]) {
  describe(`replies that nobody reads on the ${fastLane ? 'fast' : 'general'} lane`, () => {
    it('do not pile up, and arrive in the end', async (test) => {
      const { fixture, client, count } = await open(test, fastLane);
      const asked = 1500;
      client.send(get.repeat(asked - 1) + last);
      let before = -1;
      await eventually('no more are asked for', async () => {
        const since = count() - before;
        before = count() + 1;
        await roundTrip(test, fixture.port, last);
        return since === 0;
      });
      assert.ok(count() < asked);
      client.socket.resume();
      await client.end();
      assert.equal(replies(client), asked);
    });

    it('arrive when the client has closed its side', async (test) => {
      const opened = await open(test, fastLane);
      const answered = await fill(opened);
      const { client, side } = opened;
      client.socket.end();
      await eventually('the proxy knows', () => side.readableEnded || side.destroyed);
      client.socket.resume();
      await client.end();
      assert.equal(replies(client), answered);
    });
  });
}

describe('a connection on the fast lane', () => {
  it('that is drained gets what was answered', async (test) => {
    const opened = await open(test, true);
    const answered = await fill(opened);
    const { client, fixture } = opened;
    const drained = fixture.proxy.drain(10_000);
    client.socket.resume();
    await client.end();
    await drained;
    assert.equal(replies(client), answered);
  });

  it('is idle from its last reply on, however long that took', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const clock = new FakeClock();
    const options = { proxy: { fastLane: true }, policy: { responseTimeoutMs: 0 }, clock };
    const { port } = await startProxy(test, { a: [origin.port] }, options);
    const client = new RawClient(test, port);
    for (const count of [1, 2]) {
      client.send(get);
      await eventually(
        'it has arrived',
        () => origin.received[0]?.split('GET').length === count + 1,
      );
      await clock.advance(150_000);
      origin.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      await eventually('it is answered', () => client.text.split('ok').length === count + 1);
      await clock.advance(2000);
    }
    await clock.advance(121_000);
    await client.end();
  });
});
