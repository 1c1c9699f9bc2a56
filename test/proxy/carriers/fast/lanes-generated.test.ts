// Lane beside lane with requests that nobody wrote: sound ones, broken ones and such as end too early.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { eventually } from '../../../support/eventually.ts';
import { requests } from '../../../support/http-texts.ts';
import { parseWithLlhttp } from '../../../support/llhttp.ts';
import { byteOrigin, RawClient, startProxy, type ByteOrigin } from '../../fixture.ts';

const samples = 150;
const okReply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Fields that lanes may write in different ways, and random ones. */
const own = /^(?:connection|keep-alive|traceparent|transfer-encoding)$/;

interface Lane {
  readonly port: number;
  readonly origin: ByteOrigin;
}

async function openLane(test: TestContext, fastLane: boolean): Promise<Lane> {
  const origin = await byteOrigin(test, (socket) => socket.write(okReply));
  const ports = { payments: [origin.port], a: [origin.port], b: [origin.port] };
  // No request is repeated, and none waits: what arrives at the instance is what was sent once.
  const policy = { retries: 0, waitTimeoutMs: 0 };
  const { port } = await startProxy(test, ports, { proxy: { fastLane }, policy });
  return { port, origin };
}

/** What ends the message of this head, so that no byte is left behind it; nothing when nothing does. */
function bodyFor(head: Buffer): string {
  const bodies = ['', 'hello', '5\r\nhello\r\n0\r\n\r\n'];
  return bodies.find((body) => isComplete(Buffer.concat([head, Buffer.from(body)]))) ?? '';
}

function isComplete(bytes: Buffer): boolean {
  return parseWithLlhttp('request', bytes)?.complete === true;
}

/** Whether the request is answered with 200, and what the instance gets of it. */
async function fateOf(test: TestContext, lane: Lane, bytes: Buffer): Promise<unknown> {
  const before = lane.origin.received.map(({ length }) => length);
  const client = new RawClient(test, lane.port);
  client.socket.write(bytes);
  // Nobody waits for the rest of what is not complete.
  if (!isComplete(bytes)) client.socket.end();
  const what = `an answer to ${JSON.stringify(bytes.toString('latin1'))}`;
  const fate = await eventually(what, () => {
    const status = /^HTTP\/1\.1 (\d\d\d) /.exec(client.text)?.[1];
    if (status === '200') return 'answered';
    return status !== undefined || client.closed ? 'refused' : undefined;
  });
  client.socket.destroy();
  if (fate === 'refused') return { fate };
  const { received } = lane.origin;
  return { fate, request: requestIn(received.map((text, n) => text.slice(before[n])).join('')) };
}

function requestIn(text: string): unknown {
  const parsed = parseWithLlhttp('request', Buffer.from(text, 'latin1'));
  if (parsed === undefined) return text;
  const { method, target, rawHeaders } = parsed;
  const fields: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (!own.test(name)) fields.push(`${name}: ${(rawHeaders[index + 1] ?? '').trim()}`);
  }
  return { method, target, fields: fields.sort() };
}

describe('generated requests on both lanes', () => {
  it('meet the same fate, whole and cut short', async (test) => {
    const [fast, general] = [await openLane(test, true), await openLane(test, false)];
    const fates = new Set<unknown>();
    const heads = fc.sample(fc.tuple(requests, fc.nat()), samples);
    for (const [head, end] of heads) {
      const whole = Buffer.concat([head, Buffer.from(bodyFor(head))]);
      for (const bytes of [whole, whole.subarray(0, end % whole.length)]) {
        const fatesOf = [fast, general].map((lane) => fateOf(test, lane, bytes));
        const [got, expected] = await Promise.all(fatesOf);
        assert.deepEqual(got, expected, JSON.stringify(bytes.toString('latin1')));
        fates.add((got as { fate: string }).fate);
      }
    }
    assert.deepEqual([...fates].sort(), ['answered', 'refused']);
  });
});
