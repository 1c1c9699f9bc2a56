// Heads that come byte by byte cost what they would cost at once: they are looked for, and then read.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import {
  InstanceConnection,
  type ReplyEvents,
} from '../../../../src/proxy/carriers/fast/instance-connection.ts';
import { PartialHead } from '../../../../src/proxy/carriers/fast/partial-head.ts';
import { ReadBuffers } from '../../../../src/proxy/carriers/fast/read-buffer.ts';
import {
  ReplyReader,
  type CanonicalReply,
} from '../../../../src/proxy/carriers/fast/reply-head.ts';
import { TurnWrites } from '../../../../src/proxy/carriers/fast/turn-writes.ts';
import { eventually } from '../../../support/eventually.ts';
import { byteOrigin } from '../../fixture.ts';

class CountingReader extends ReplyReader {
  readings = 0;

  override read(bytes: Buffer, headOnly: boolean): ReturnType<ReplyReader['read']> {
    this.readings++;
    return super.read(bytes, headOnly);
  }
}

describe('a reply whose head comes byte by byte', () => {
  it('is read at its first byte and at its last', async (test) => {
    const origin = await byteOrigin(test, () => undefined);
    const replies = new CountingReader();
    const connection = new InstanceConnection({
      clock: systemClock,
      isReservedPort: () => false,
      replies,
      turnWrites: new TurnWrites(),
      readBuffers: new ReadBuffers(),
    });
    const { socket } = connection;
    test.after(() => connection.destroy());
    socket.connect({ port: origin.port, host: '127.0.0.1' });
    const statuses: number[] = [];
    const told = ({ status }: CanonicalReply): void => void statuses.push(status);
    const events: ReplyEvents = {
      whole: told,
      interim: told,
      replied: (reply) => {
        told(reply);
        return true;
      },
      contents: () => 'sent',
      ended: () => statuses.push(0),
      failed: (cause) => assert.fail(cause),
      drained: () => undefined,
    };
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n', false, events);
    const side = await eventually('the request has arrived', () => origin.sockets[0]);
    side.setNoDelay(true);
    const bytes = 'HTTP/1.1 103 Hints\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    for (let sent = 1; sent <= bytes.length; sent++) {
      side.write(bytes.slice(sent - 1, sent));
      await eventually('it has come', () => socket.bytesRead === sent, { everyMs: 0 });
    }
    assert.deepEqual(statuses, [103, 200, 0]);
    assert.equal(replies.readings, 4);
  });
});

describe('PartialHead', () => {
  const head = 'HTTP/1.1 200 OK\r\nX: 1\r\n\r\n';

  /** What it gives for each of the pieces after the first. */
  function gather(pieces: readonly string[], bytesMax = 1000): (string | undefined)[] {
    const [first = '', ...others] = pieces;
    const partial = new PartialHead(Buffer.from(first), bytesMax);
    return others.map((piece) => partial.add(Buffer.from(piece))?.toString('latin1'));
  }

  it('gives all that came with the piece that has the end', () => {
    const bytewise = gather(Array.from(head));
    assert.deepEqual(
      bytewise.slice(0, -1),
      Array.from(bytewise.slice(0, -1), () => undefined),
    );
    assert.equal(bytewise.at(-1), head);
    for (let first = 1; first < head.length; first++)
      for (let second = first; second < head.length; second++) {
        const pieces = [
          head.slice(0, first),
          head.slice(first, second),
          `${head.slice(second)}rest`,
        ];
        assert.deepEqual(gather(pieces), [undefined, `${head}rest`], `cut at ${first}, ${second}`);
      }
  });

  it('gives what is too long', () => {
    assert.deepEqual(gather(['abc', 'd', 'e'], 4), [undefined, 'abcde']);
  });
});
