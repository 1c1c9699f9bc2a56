// Long replies read into memory that is used again and again: every client gets its own bytes, however slowly it reads.
import assert from 'node:assert/strict';
import { createHash, randomBytes, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ReadBuffer, ReadBuffers } from '../../../../src/proxy/carriers/fast/read-buffer.ts';
import { httpOrigin, startProxy } from '../../fixture.ts';

const megabyte = 1024 * 1024;
const replies = 8;
const bytesOf = (length: number): Buffer => Buffer.alloc(length, 'x');

const digest = (hash: Hash): string => hash.digest('hex');

/** Reads the reply with pauses of some turns: `slowness` of them after each piece. */
async function read(port: number, path: string, slowness: number): Promise<string> {
  const call = request({ port, path, headers: { host: 'a' } }).end();
  const [reply] = (await once(call, 'response')) as [IncomingMessage];
  const hash = createHash('sha1');
  for await (const piece of reply) {
    hash.update(piece as Buffer);
    for (let turn = 0; turn < slowness; turn++) await nextTurn();
  }
  return digest(hash);
}

describe('long replies at the same time', () => {
  for (const framing of ['length', 'chunked'] as const) {
    it(`are not mixed up (${framing})`, async (test) => {
      const bodies = Array.from({ length: replies }, () => randomBytes(6 * megabyte));
      const origin = await httpOrigin(test, (incoming, reply) => {
        const body = bodies[Number(incoming.url?.slice(1))] ?? Buffer.alloc(0);
        if (framing === 'length') reply.setHeader('content-length', body.length);
        // In pieces, so that chunks are of many sizes.
        for (let at = 0; at < body.length; at += 300_007) {
          reply.write(body.subarray(at, at + 300_007));
        }
        reply.end();
      });
      const { port } = await startProxy(test, { a: [origin.port] }, { proxy: { fastLane: true } });
      const got = await Promise.all(
        bodies.map((_body, index) => read(port, `/${index}`, (index % 4) * 5)),
      );
      const sent = bodies.map((body) => digest(createHash('sha1').update(body)));
      assert.deepEqual(got, sent);
    });
  }
});

describe('ReadBuffer', () => {
  it('copies short bodies, and reads long ones into memory of its own until they end', () => {
    const buffers = new ReadBuffers();
    const buffer = new ReadBuffer(buffers);
    const short = bytesOf(1000);
    assert.notEqual(buffer.body(short), short);
    assert.equal(buffer.current, buffers.shared);
    const long = bytesOf(100_000);
    assert.notEqual(buffer.body(long), long);
    const own = buffer.current;
    assert.notEqual(own, buffers.shared);
    const more = own.subarray(0, 10);
    assert.equal(buffer.body(more), more);
    assert.equal(buffer.current, own);
    buffer.release();
    assert.equal(buffer.current, buffers.shared);
    assert.equal(buffers.take(), own);
  });

  it('leaves what is still to be sent alone', () => {
    const buffers = new ReadBuffers();
    const buffer = new ReadBuffer(buffers);
    buffer.lend(false);
    assert.equal(buffer.current, buffers.shared);
    buffer.body(bytesOf(100_000));
    const first = buffer.current;
    buffer.lend(false);
    const second = buffer.current;
    assert.notEqual(second, first);
    // Paused: what was read has been sent when there is more.
    buffer.lend(true);
    assert.equal(buffer.current, second);
    buffer.body(second.subarray(0, 10));
    buffer.lend(true);
    buffer.release();
    for (let taken = 0; taken < 3; taken++) {
      const other = buffers.take();
      assert.ok(other !== first && other !== second);
    }
  });
});
