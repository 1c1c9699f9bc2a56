// Requests that are sent without waiting for replies, on both lanes: each has its turn, and nobody else's.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { byteOrigin, RawClient, roundTrip, startProxy } from '../fixture.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function post(path: string, service = 'a'): string {
  return `POST ${path} HTTP/1.1\r\nHost: ${service}\r\nContent-Length: 1\r\n\r\nx`;
}

/** From somebody who asks later: with its answer, what was sent ahead would have arrived, too. */
function last(service: string): string {
  return `GET /last HTTP/1.1\r\nHost: ${service}\r\nConnection: close\r\n\r\n`;
}

const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status);

for (const fastLane of [true, false]) {
  describe(`a pipeline on the ${fastLane ? 'fast' : 'general'} lane`, () => {
    it('reaches the instances one request after the other', async (test) => {
      const held = await byteOrigin(test, () => undefined);
      const other = await byteOrigin(test, (socket) => socket.write(ok));
      const services = { a: [held.port], b: [other.port] };
      const { port } = await startProxy(test, services, { proxy: { fastLane } });
      const client = new RawClient(test, port).send(post('/1') + post('/2', 'b'));
      await eventually('the first has arrived', () => held.received[0]?.endsWith('x'));
      assert.match(await roundTrip(test, port, last('b')), /200 OK/);
      assert.doesNotMatch(other.received.join(''), /POST/);
      held.sockets[0]?.write(ok);
      await client.until(/ok[^]*ok$/);
      assert.match(other.received.join(''), /POST \/2/);
    });

    it('does not count as more than one request in flight, however long it is', async (test) => {
      const origin = await byteOrigin(test, (socket) => socket.write(ok));
      const options = { proxy: { fastLane }, policy: { inFlightMax: 1 } };
      const { port } = await startProxy(test, { a: [origin.port] }, options);
      const length = 500;
      const client = new RawClient(test, port).send(post('/').repeat(length));
      await eventually('all are answered', () => statuses(client.text).length === length);
      assert.deepEqual([...new Set(statuses(client.text))], ['200']);
    });

    it('ends with the reply that says so', async (test) => {
      const origin = await byteOrigin(test, () => undefined);
      const { port, proxy } = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane } });
      const client = new RawClient(test, port).send(post('/1') + post('/2'));
      await eventually('the first has arrived', () => origin.received[0]?.endsWith('x'));
      const drained = proxy.drain(10_000);
      origin.sockets[0]?.write(ok);
      assert.match(await client.end(), /^HTTP\/1\.1 200 [^]*Connection: close[^]*\r\n\r\nok$/);
      await drained;
      assert.doesNotMatch(origin.received.join(''), /\/2/);
    });

    it('before a tunnel is answered before it opens', async (test) => {
      const held = await byteOrigin(test, () => undefined);
      const other = await byteOrigin(test, (socket) => socket.write('tunnelled'));
      const services = { a: [held.port], b: [other.port] };
      const { port } = await startProxy(test, services, { proxy: { fastLane } });
      const tunnel = 'CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\nhello\r\n\r\n';
      const client = new RawClient(test, port).send(post('/') + tunnel);
      await eventually('the first has arrived', () => held.received[0]?.endsWith('x'));
      held.sockets[0]?.write(ok);
      await client.until(/okHTTP\/1\.1 200 Connection Established\r\n\r\ntunnelled$/);
    });

    it('before an upgrade that is ignored goes on behind it', async (test) => {
      const origin = await byteOrigin(test, (socket, count) => count > 1 && socket.write(ok));
      const { port } = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane } });
      const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n';
      const client = new RawClient(test, port).send(post('/') + upgrade);
      await eventually('the first has arrived', () => origin.received[0]?.endsWith('x'));
      assert.match(await roundTrip(test, port, last('a')), /200 OK/);
      origin.sockets[0]?.write(ok);
      await client.until(/ok[^]*ok$/);
      client.send(post('/'));
      await client.until(/ok[^]*ok[^]*ok$/);
    });
  });
}
