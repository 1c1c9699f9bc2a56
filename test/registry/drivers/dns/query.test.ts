import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Packet } from 'dns-packet';
import { decode, encode } from '../../../../src/core/dns-packet.ts';
import {
  decodeAnswer,
  newQuery,
  understood,
  type Query,
} from '../../../../src/registry/drivers/dns/query.ts';

function queryOf(name: string): Query {
  const query = newQuery(name, 'A', 7);
  assert.ok(query !== undefined);
  return query;
}

const asked = queryOf('web.t');
const response = (parts: Packet = {}): Buffer =>
  encode({ type: 'response', id: 7, questions: [{ name: 'web.t', type: 'A' }], ...parts });

describe('a DNS query', () => {
  it('asks for recursion, and for answers that no network cuts', () => {
    const { flag_rd: recursion, additionals = [] } = decode(asked.bytes);
    assert.equal(recursion, true);
    assert.equal((additionals[0] as { readonly udpPayloadSize: number }).udpPayloadSize, 1232);
  });
});

describe('decodeAnswer', () => {
  const accepts = (bytes: Buffer): boolean => decodeAnswer(bytes, asked) !== undefined;

  it('takes only what answers the query', () => {
    assert.ok(accepts(response()));
    assert.ok(accepts(response({ questions: [{ name: 'WEB.t', type: 'A' }] })));
    assert.ok(!accepts(response({ id: 8 })));
    assert.ok(!accepts(response({ type: 'query' })));
    assert.ok(!accepts(response({ questions: [] })));
    assert.ok(!accepts(response({ questions: [{ name: 'web.t', type: 'AAAA' }] })));
    assert.ok(!accepts(response({ questions: [{ name: 'other.t', type: 'A' }] })));
    const question = { name: 'web.t', type: 'A' } as const;
    assert.ok(!accepts(response({ questions: [question, question] })));
  });

  it('reads compressed names', () => {
    // The owner's name is a pointer to the question's.
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 1]);
    const bytes = Buffer.concat([response(), record]);
    bytes.writeUInt16BE(1, 6);
    const [answer] = decodeAnswer(bytes, asked)?.answers ?? [];
    assert.deepEqual([answer?.name, answer?.type === 'A' && answer.data], ['web.t', '10.0.0.1']);
  });

  it('reads the answers when what comes after them is broken', () => {
    const answers = [{ type: 'A', name: 'web.t', ttl: 5, data: '10.0.0.1' } as const];
    const bytes = Buffer.concat([response({ answers }), Buffer.from([0x80, 12, 0, 1])]);
    bytes.writeUInt16BE(1, 10);
    assert.equal(decodeAnswer(bytes, asked)?.answers?.length, 1);
    const cut = response({ answers }).subarray(0, -1);
    assert.equal(decodeAnswer(cut, asked), undefined);
  });

  it('survives any bytes, and pointers in circles', () => {
    const head = response({ questions: [] });
    head.writeUInt16BE(1, 4);
    assert.ok(!accepts(Buffer.concat([head, Buffer.from([0xc0, 12, 0, 1, 0, 1])])));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        accepts(Buffer.from(bytes));
        accepts(Buffer.concat([response({ answers: [] }).subarray(0, 12), Buffer.from(bytes)]));
      }),
    );
  });
});

describe('understood', () => {
  const read = (parts: Packet): unknown => {
    const packet = decodeAnswer(response(parts), asked);
    assert.ok(packet !== undefined);
    return understood(packet, asked).answers;
  };

  it('takes a name that does not exist for one without records', () => {
    assert.deepEqual(
      read({ flags: 3, answers: [{ type: 'CNAME', name: 'web.t', data: 'x.t' }] }),
      [],
    );
  });

  it('takes no error for an answer', () => {
    const failure = (flags: number): object => ({ flags, answers: [] });
    for (const code of [1, 2, 4, 5, 9]) {
      assert.throws(() => read(failure(code)), { code: 'registry_unavailable' });
    }
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 512,
      extendedRcode: 1,
      flags: 0,
      options: [],
    };
    assert.throws(() => read({ additionals: [opt as never] }), { code: 'registry_unavailable' });
  });
});
