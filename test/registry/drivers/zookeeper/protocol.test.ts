// ZooKeeper's encoding, and a connection against a server that answers as told.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { RegistryError } from '../../../../src/core/errors.ts';
import {
  Connection,
  noSession,
} from '../../../../src/registry/drivers/zookeeper/protocol/connection.ts';
import { FrameSplitter } from '../../../../src/registry/drivers/zookeeper/protocol/frames.ts';
import {
  JuteReader,
  JuteWriter,
} from '../../../../src/registry/drivers/zookeeper/protocol/jute.ts';
import { Nodes } from '../../../../src/registry/drivers/zookeeper/protocol/nodes.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

describe('jute', () => {
  it('reads what it wrote', () => {
    const frame = new JuteWriter()
      .int(-7)
      .long(-(2n ** 40n))
      .text('größe\u0000')
      .int(-1)
      .frame();
    const reader = new JuteReader(frame.subarray(4));
    assert.equal(frame.readInt32BE(0), frame.length - 4);
    assert.equal(reader.int(), -7);
    assert.equal(reader.long(), -(2n ** 40n));
    assert.equal(reader.text(), 'größe\u0000');
    assert.equal(reader.text(), '', 'an absent text');
  });

  it('fails for a message that ends too early, whatever lengths it claims', () => {
    const early = { code: 'registry_invalid' };
    assert.throws(() => new JuteReader(Buffer.alloc(3)).int(), early);
    const claim = new JuteWriter().int(0x7fff_ffff).frame().subarray(4);
    assert.throws(() => new JuteReader(claim).text(), early);
    assert.throws(() => new JuteReader(claim).texts(), early);
  });
});

describe('frames', () => {
  const frames = ['', 'a', 'bc'.repeat(1000)].map((text) => new JuteWriter().text(text).frame());

  it('are cut however the bytes arrive', () => {
    const bytes = Buffer.concat(frames);
    for (const size of [1, 3, 7, 1000, bytes.length]) {
      const splitter = new FrameSplitter();
      const cut: Buffer[] = [];
      for (let start = 0; start < bytes.length; start += size) {
        cut.push(...splitter.push(bytes.subarray(start, start + size)));
      }
      assert.deepEqual(
        cut.map((frame) => frame.toString()),
        frames.map((frame) => frame.subarray(4).toString()),
      );
    }
  });

  it('are refused when they are too long', () => {
    const error = { code: 'registry_invalid' };
    assert.throws(() => new FrameSplitter().push(Buffer.from('HTTP/1.1 400')), error);
    assert.throws(() => new FrameSplitter().push(Buffer.from([255, 255, 255, 255])), error);
  });
});

describe('a connection', () => {
  it('opens a session, and matches answers and events', () =>
    inConversation(async ({ connection, server, events }) => {
      const nodes = new Nodes(connection, { access: 'everybody' });
      const made = nodes.createEphemeral('/a', Buffer.from('x'), { sequential: true });
      const gone = nodes.delete('/b');
      const forbidden = nodes.write('/c', Buffer.alloc(0));
      server.answer(1, 0, (message) => message.text('/a0000000001'));
      server.send(event(4, '/services'));
      server.answer(2, -101);
      server.answer(3, -102);
      assert.deepEqual(await made, { path: '/a0000000001' });
      assert.equal(await gone, 'none');
      await assert.rejects(forbidden, { code: 'registry_auth' });
      assert.deepEqual(events, ['4 /services']);
    }));

  it('is told when the session has expired', () =>
    inConversation(async ({ greeting }) => assert.equal(await greeting, 'expired'), 0));

  it('fails what waits when the server closes it, and says so once', () =>
    inConversation(async ({ connection, server, events }) => {
      const waiting = new Nodes(connection, { access: 'user' }).delete('/a');
      server.socket.end();
      await assert.rejects(waiting, { code: 'registry_unreachable' });
      assert.equal(connection.ended, true);
      assert.deepEqual(events, ['lost registry_unreachable']);
      await assert.rejects(
        connection.request(2, (message) => message),
        {
          code: 'registry_unreachable',
        },
      );
    }));

  it('ends at an answer that makes no sense', () =>
    inConversation(async ({ connection, server }) => {
      const waiting = connection.request(2, (message) => message);
      server.send(new JuteWriter().int(1).frame());
      await assert.rejects(waiting, { code: 'registry_invalid' });
    }));

  it('pings, and gives up a server that does not answer', () =>
    inConversation(async ({ connection, server, clock, events }) => {
      await clock.advance(3000);
      await eventually('a ping', () => server.received === 2);
      server.answer(-2, 0);
      await eventually('the answer', () => connection.heardAtMs === clock.nowMs());
      await clock.advance(3000);
      await eventually('another ping', () => server.received === 3);
      assert.equal(connection.ended, false);
      await clock.advance(3000);
      assert.deepEqual(events, ['lost registry_timeout']);
      assert.equal(clock.pendingTimers, 0);
    }));
});

interface Conversation {
  readonly connection: Connection;
  readonly greeting: Promise<unknown>;
  readonly clock: FakeClock;
  readonly events: string[];
  readonly server: {
    readonly socket: Socket;
    /** Messages, the greeting included. */
    readonly received: number;
    send(frame: Buffer): void;
    answer(xid: number, code: number, write?: (message: JuteWriter) => JuteWriter): void;
  };
}

/** A connection whose server has granted a session of `grantedMs`. */
async function inConversation(
  run: (conversation: Conversation) => Promise<void>,
  grantedMs = 9000,
): Promise<void> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = await accepted;
  const splitter = new FrameSplitter();
  let received = 0;
  peer.on('data', (chunk: Buffer) => (received += splitter.push(chunk).length));
  const clock = new FakeClock();
  const events: string[] = [];
  const connection = new Connection({
    socket,
    clock,
    events: {
      event: (type, path) => events.push(`${type} ${path}`),
      lost: (error: RegistryError) => events.push(`lost ${error.code}`),
    },
  });
  const server = {
    socket: peer,
    get received() {
      return received;
    },
    send: (frame: Buffer) => void peer.write(frame),
    answer: (xid: number, code: number, write = (message: JuteWriter) => message) =>
      void peer.write(write(new JuteWriter().int(xid).long(5n).int(code)).frame()),
  };
  try {
    const greeting = connection.greet(noSession, 9000);
    const id = new JuteWriter().int(0).int(grantedMs).long(77n).bytes(Buffer.alloc(16, 1));
    server.send(id.frame());
    await greeting;
    await run({ connection, greeting, clock, events, server });
  } finally {
    connection.end(new RegistryError('registry_unreachable', 'the test is over'));
    peer.destroy();
    listener.close();
  }
}

function event(type: number, path: string): Buffer {
  return new JuteWriter().int(-1).long(-1n).int(0).int(type).int(3).text(path).frame();
}
