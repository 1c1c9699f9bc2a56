import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { settle } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { FrameTracker } from '../../src/proxy/carriers/websocket-frames.ts';
import { replyHeaders, requestHeaders } from '../../src/proxy/headers.ts';
import { ReplayBuffer } from '../../src/proxy/replay.ts';

describe('request headers', () => {
  const hop = { host: 'payments', originalHost: 'p:80', clientAddress: '::ffff:10.0.0.1' };
  const forward = (raw: string[]): string[] =>
    requestHeaders(raw, { ...hop, random: seededRandom(1) });

  it('keep a traceparent and append to what other proxies wrote', () => {
    const raw = [
      'traceparent',
      'x',
      'X-Forwarded-Proto',
      'https',
      'x-forwarded-host',
      'a',
      'Via',
      '1.0 b',
    ];
    assert.deepEqual(forward(raw), [
      ...['Host', 'payments', 'traceparent', 'x', 'X-Forwarded-Proto', 'https, http'],
      ...['x-forwarded-host', 'a, p:80', 'Via', '1.0 b'],
      ...['X-Forwarded-For', '10.0.0.1', 'Via', '1.1 outrigger'],
    ]);
  });

  it('lose what Connection names in any case, over several lines, but nothing that others rely on', () => {
    const kept = [
      'Authorization',
      'Cookie',
      'Content-Length',
      'Content-Type',
      'X-Forwarded-For',
      'traceparent',
    ];
    const raw = [
      'Connection',
      `FOO , ${kept.join(',')}`,
      'connection',
      'bar',
      'Foo',
      '1',
      'BAR',
      '2',
    ];
    const names = forward([...raw, ...kept.flatMap((name) => [name, '1'])]);
    for (const name of kept) assert.ok(names.includes(name), name);
    for (const name of ['Foo', 'BAR']) assert.equal(names.includes(name), false, name);
  });
});

describe('reply headers', () => {
  it('have one framing', () => {
    const raw = ['Content-Length', '5', 'Transfer-Encoding', 'chunked', 'Trailer', 'X'];
    assert.deepEqual(replyHeaders(raw, 200, true), ['Trailer', 'X', 'Via', '1.1 outrigger']);
    assert.deepEqual(replyHeaders(raw.slice(0, 2), 200, false), [
      ...raw.slice(0, 2),
      'Via',
      '1.1 outrigger',
    ]);
    assert.deepEqual(replyHeaders(raw, 200, false), ['Via', '1.1 outrigger']);
  });
});

describe('ReplayBuffer', () => {
  function start(bytesMax: number) {
    const source = new PassThrough();
    const told: string[] = [];
    const body = new ReplayBuffer(source, {
      bytesMax,
      onWanted: () => told.push('wanted'),
      onLost: () => told.push('lost'),
    });
    return { source, body, told };
  }

  it('asks for the body when it is first read, and gives it again from its start', async () => {
    const { source, body, told } = start(100);
    const first = body.open();
    assert.deepEqual(told, []);
    first.resume();
    source.write('abc');
    await settle();
    assert.deepEqual(told, ['wanted']);
    const second = body.open();
    assert.equal(first.destroyed, true);
    source.end('def');
    assert.equal(await text(second), 'abcdef');
    assert.equal(await text(body.open()), 'abcdef');
    assert.deepEqual(told, ['wanted']);
    assert.equal(body.waitsFor, 'nobody');
  });

  it('says when the body has become too long, and goes on passing it through', async () => {
    const { source, body, told } = start(5);
    const reader = body.open();
    source.write('abc');
    source.end('def');
    assert.equal(await text(reader), 'abcdef');
    assert.deepEqual(told, ['wanted', 'lost']);
  });

  it('holds the client back while the instance takes nothing', async () => {
    const { source, body } = start(5);
    const reader = body.open();
    reader.once('data', () => reader.pause());
    const block = Buffer.alloc(40_000);
    for (let turn = 0; turn < 10; turn++) source.write(block);
    await settle();
    assert.ok(reader.readableLength <= 120_000, `${reader.readableLength} bytes are held`);
    assert.equal(body.waitsFor, 'instance');
    body.discard();
    await settle();
    assert.equal(source.readableLength, 0);
  });
});

describe('FrameTracker', () => {
  const frames = [
    Uint8Array.of(0x81, 2, 1, 2),
    Uint8Array.of(0x89, 0),
    Uint8Array.of(0x82, 0x83, 9, 9, 9, 9, 1, 2, 3),
    Buffer.concat([Uint8Array.of(0x82, 126, 1, 0), Buffer.alloc(256)]),
    Buffer.concat([Uint8Array.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), Buffer.alloc(65_536)]),
    Uint8Array.of(0x88, 2, 3, 0xe8),
  ];
  const ends = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length);
  const bytes = Buffer.concat(frames);

  it('finds every boundary, byte by byte', () => {
    const tracker = new FrameTracker();
    const found: number[] = [];
    for (let offset = 0; offset < bytes.length; offset++)
      if (tracker.push(bytes.subarray(offset, offset + 1)) !== undefined) found.push(offset + 1);
    assert.deepEqual(found, ends);
  });

  it('finds the first boundary in a larger piece, and knows whether it stands on one', () => {
    for (const size of [3, 7, 300, 100_000]) {
      const tracker = new FrameTracker();
      for (let offset = 0; offset < bytes.length; offset += size) {
        const piece = bytes.subarray(offset, offset + size);
        const next = ends.find((end) => end > offset && end <= offset + piece.length);
        assert.equal(tracker.push(piece), next === undefined ? undefined : next - offset);
        assert.equal(tracker.atBoundary, ends.includes(offset + piece.length));
      }
    }
  });
});
