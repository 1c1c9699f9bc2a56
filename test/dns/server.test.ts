import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { decode, encode, type Answer, type DecodedPacket } from '../../src/core/dns-packet.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import type { Callee } from '../../src/dns/answer.ts';
import { DnsServer, type CalleeSource } from '../../src/dns/server.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/eventually.ts';
import { untilClosed } from '../support/idle-clients.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';

const one: Callee = { host: '10.0.0.1', port: 80, weight: 1 };
const big = Array.from({ length: 900 }, (_, n) => {
  return { ...one, host: `10.0.${n >> 8}.${n & 255}` };
});

function sourceOf(lists: Readonly<Record<string, readonly Callee[]>>): CalleeSource {
  return { callees: (name) => Promise.resolve(lists[name] ?? 'unknown') };
}

interface Parts {
  readonly source?: CalleeSource;
  readonly clock?: FakeClock;
  readonly port?: number;
}

function newServer({ source = sourceOf({ web: [one] }), clock, port = 0 }: Parts = {}): DnsServer {
  const deps = { source, clock: clock ?? systemClock, random: seededRandom(1), logger };
  return new DnsServer(deps, { address: { host: '127.0.0.1', port }, domain: 'outrigger' });
}

/** Started; the result is its port. */
async function serve(t: TestContext, parts: Parts = {}): Promise<number> {
  const server = newServer(parts);
  t.after(() => server.close());
  await server.start();
  return server.address?.port ?? 0;
}

function query(name: string, type: string, id = 1): Buffer {
  return encode({ type: 'query', id, questions: [{ name, type: type as 'A' }] });
}

function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The answer over UDP; undefined when the next query is answered and this one is not. */
async function ask(
  t: TestContext,
  port: number,
  bytes: Buffer,
): Promise<DecodedPacket | undefined> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.send(bytes, port, '127.0.0.1');
  socket.send(query('outrigger', 'SOA', 9999), port, '127.0.0.1');
  const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [
    Buffer,
  ];
  const packet = decode(answer);
  return packet.id === 9999 ? undefined : packet;
}

async function client(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket.resume();
}

function closed(socket: Socket): Promise<unknown> {
  return once(socket, 'close', { signal: AbortSignal.timeout(5000) });
}

const rcode = (packet: DecodedPacket | undefined): unknown =>
  (packet as unknown as { readonly rcode: string } | undefined)?.rcode;
const datas = (answers: readonly Answer[] | undefined): unknown[] =>
  (answers ?? []).map((answer) => ('data' in answer ? answer.data : undefined));

describe('DnsServer', () => {
  it('leaves out hosts that no DNS message can carry', async (t) => {
    const hosts = ['a..b', `${'x'.repeat(64)}.t`, 'fe80::1%eth0', 'db.example'];
    const source = sourceOf({ web: hosts.map((host) => ({ ...one, host })) });
    const port = await serve(t, { source });
    const srv = await ask(t, port, query('web.outrigger', 'SRV'));
    assert.deepEqual(datas(srv?.answers), [
      { priority: 0, weight: 1, port: 80, target: 'db.example' },
    ]);
    assert.deepEqual((await ask(t, port, query('web.outrigger', 'AAAA')))?.answers, []);
  });

  it('gives weights as DNS has them: whole, and not 0', async (t) => {
    const source = sourceOf({ web: [{ ...one, weight: 0.2 }] });
    const port = await serve(t, { source });
    const [data] = datas((await ask(t, port, query('web.outrigger', 'SRV')))?.answers);
    assert.equal((data as { readonly weight: number }).weight, 1);
  });

  it('answers with what fits, however many there are', async (t) => {
    const source = sourceOf({ web: Array.from({ length: 70 }, () => big).flat() });
    const port = await serve(t, { source });
    const answer = await ask(t, port, query('web.outrigger', 'SRV'));
    assert.equal(answer?.flag_tc, true);
    assert.ok((answer.answers?.length ?? 0) > 5);
  });

  it('drops what announces more than it has, and what is no query', async (t) => {
    const port = await serve(t);
    const boast = Buffer.alloc(12);
    boast.writeUInt16BE(65_535, 4);
    assert.equal(await ask(t, port, boast), undefined);
    const response = query('web.outrigger', 'A');
    response.writeUInt8(0x80, 2);
    assert.equal(await ask(t, port, response), undefined);
    const loop = Buffer.concat([
      query('', 'A').subarray(0, 12),
      Buffer.from([0xc0, 12, 0, 1, 0, 1]),
    ]);
    assert.equal(await ask(t, port, loop), undefined);
  });

  it('refuses names that cannot be, and versions of EDNS that it does not know', async (t) => {
    const port = await serve(t);
    const strange = query('wéb.outrigger', 'A');
    assert.equal(rcode(await ask(t, port, strange)), 'FORMERR');
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      ednsVersion: 1,
      flags: 0,
      options: [],
    };
    const newer = encode({
      type: 'query',
      id: 1,
      questions: [{ name: 'web.outrigger', type: 'A' }],
      additionals: [opt as never],
    });
    const [answered] = (await ask(t, port, newer))?.additionals ?? [];
    assert.equal((answered as { readonly extendedRcode: number }).extendedRcode, 1);
  });

  it('does not answer for a registry that it could not ask', async (t) => {
    const source: CalleeSource = { callees: () => Promise.resolve('unanswered') };
    const port = await serve(t, { source });
    assert.equal(rcode(await ask(t, port, query('web.outrigger', 'A'))), 'SERVFAIL');
  });

  it('waits for no more than it may, and not for ever', async (t) => {
    const clock = new FakeClock();
    const signals: AbortSignal[] = [];
    const source: CalleeSource = {
      callees: (_name, _tag, signal) => {
        signals.push(signal);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve('unanswered'));
        });
      },
    };
    const port = await serve(t, { source, clock });
    const socket = createSocket('udp4');
    t.after(() => socket.close());
    let answers = 0;
    socket.on('message', () => answers++);
    for (let n = 0; n < 300; n++) socket.send(query('web.outrigger', 'A'), port, '127.0.0.1');
    await eventually('as many wait as may', () => signals.length === 256);
    const refused = await client(t, port);
    const gone = closed(refused);
    refused.write(framed(query('web.outrigger', 'A')));
    await gone;
    assert.equal(signals.length, 256);
    await clock.advance(2000);
    await eventually('all are answered', () => answers === 256);
    assert.ok(signals.every(({ aborted }) => aborted));
    assert.equal(clock.pendingTimers, 0);
  });

  it('answers queries over TCP that come in pieces, or together', async (t) => {
    const port = await serve(t);
    const socket = await client(t, port);
    let received = Buffer.alloc(0);
    socket.on('data', (bytes) => (received = Buffer.concat([received, bytes])));
    const bytes = Buffer.concat([1, 2, 3].map((id) => framed(query('web.outrigger', 'A', id))));
    for (const piece of [bytes.subarray(0, 1), bytes.subarray(1, 20), bytes.subarray(20)]) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    await eventually('three answers', () => {
      const ids: number[] = [];
      for (let at = 0; at + 4 <= received.length; at += 2 + received.readUInt16BE(at)) {
        ids.push(received.readUInt16BE(at + 2));
      }
      return ids.join() === '1,2,3';
    });
  });

  it('answers no faster than a client over TCP reads, and others meanwhile', async (t) => {
    let asked = 0;
    const source: CalleeSource = {
      callees: () => {
        asked++;
        return Promise.resolve(big);
      },
    };
    const port = await serve(t, { source });
    const greedy = await client(t, port);
    greedy.pause();
    // The answers to all of them would be 120 MB.
    greedy.write(
      Buffer.concat(Array.from({ length: 2000 }, () => framed(query('web.outrigger', 'SRV')))),
    );
    await eventually('it is being answered', () => asked > 0);
    assert.equal(rcode(await ask(t, port, query('nobody.example', 'A'))), 'REFUSED');
    await eventually('it waits for the client', async () => {
      const before = asked;
      await ask(t, port, query('nobody.example', 'A'));
      return asked === before;
    });
    assert.ok(asked < 500, `${asked} were answered`);
  });

  it('lets go of clients over TCP that ask nothing, or too slowly', async (t) => {
    const clock = new FakeClock();
    const port = await serve(t, { clock });
    const [silent, slow] = [await client(t, port), await client(t, port)];
    await eventually('both are served', () => clock.pendingTimers === 2);
    const gone = Promise.all([silent, slow].map(closed));
    await clock.advance(9000);
    slow.write(Buffer.from([0]));
    await clock.advance(1000);
    await gone;
    await eventually('no timer is left', () => clock.pendingTimers === 0);
  });

  it('serves only so many clients as leave descriptors for the agent', async (t) => {
    const port = await serve(t);
    await untilClosed(t, { host: '127.0.0.1', port }, 100, 84);
  });

  it('says which port is taken, and leaves nothing open', async (t) => {
    const port = await freePort();
    const tcp = createServer().listen(port, '127.0.0.1');
    t.after(() => tcp.close());
    await once(tcp, 'listening');
    const message = `--dns 127.0.0.1:${port}: EADDRINUSE`;
    await assert.rejects(newServer({ port }).start(), { code: 'config_invalid', message });
    const taken = await freePort();
    const udp = createSocket('udp4').bind(taken, '127.0.0.1');
    t.after(() => udp.close());
    await once(udp, 'listening');
    await assert.rejects(newServer({ port: taken }).start(), { code: 'config_invalid' });
    const again = createServer().listen(taken, '127.0.0.1');
    t.after(() => again.close());
    await once(again, 'listening');
  });

  it('closes twice, started or not, and with clients', async (t) => {
    const server = newServer();
    await server.close();
    await server.close();
    const other = newServer();
    await other.start();
    await other.start();
    const socket = await client(t, other.address?.port ?? 0);
    const gone = closed(socket);
    await Promise.all([other.close(), other.close()]);
    await gone;
    assert.equal(other.address, undefined);
  });
});
