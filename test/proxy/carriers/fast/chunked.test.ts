// The fast lane's reading of chunked bodies beside Node's own: what it accepts, llhttp reads in the same way.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ChunkedWalk } from '../../../../src/proxy/carriers/fast/chunked.ts';
import { mutated } from '../../../support/http-texts.ts';
import { parseWithLlhttp } from '../../../support/llhttp.ts';

/** Others each time; a failure tells the seed that repeats it. */
const numRuns = 20_000;

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('ChunkedWalk', () => {
  /** The contents, the trailer and the bytes used, however the text was cut; undefined when it is refused. */
  function walk(parts: readonly Buffer[]): readonly [string, string, number] | undefined {
    const chunked = new ChunkedWalk();
    let [contents, used] = ['', 0];
    for (const part of parts) {
      const walked = chunked.walk(part, 0);
      if (walked === undefined) return undefined;
      contents += Buffer.concat(walked.contents).toString('latin1');
      used += walked.used;
      if (walked.done) return [contents, chunked.trailer, used];
    }
    return [contents, '(not done)', used];
  }

  const whole = '5\r\nhello\r\n1;ext="a b"\r\n!\r\n0\r\nX-Sum: 7\r\nY: 1\r\n\r\n';

  it('finds the contents, the trailer and the end, wherever the bytes are cut', () => {
    const expected = ['hello!', 'X-Sum: 7\r\nY: 1\r\n', whole.length];
    const bytes = latin1(`${whole}GET / HTTP/1.1`);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const parts = [
          bytes.subarray(0, first),
          bytes.subarray(first, second),
          bytes.subarray(second),
        ];
        assert.deepEqual(walk(parts), expected, `cut at ${first} and ${second}`);
      }
    }
    assert.deepEqual(walk([...bytes].map((byte) => Buffer.from([byte]))), expected);
  });

  const accepted: readonly string[] = [
    '000000005\r\nhello\r\n00\r\n\r\n',
    '5;a="\\"\\\\ \u00e9";b\r\nhello\r\n0;c=d\r\n\r\n',
    '5\r\nhello\r\n0\r\nX: \r\nY: \u00e9\r\n\r\n',
  ];
  for (const text of accepted) {
    it(`accepts ${JSON.stringify(text)}, as llhttp does`, () => {
      const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
      assert.equal(parseWithLlhttp('request', latin1(head + text))?.body, 'hello');
      assert.equal(walk([latin1(text)])?.[0], 'hello');
      assert.equal(walk(Array.from(text, latin1))?.[0], 'hello');
    });
  }

  const refused: readonly string[] = [
    '\r\n',
    'g\r\n',
    '5 \r\nhello\r\n',
    '5\nhello\n0\n\n',
    '5\r\nhello!\r\n',
    '5\r\nhello\n0\r\n\r\n',
    '5;a\nb\r\nhello\r\n',
    `${'0'.repeat(16)}5\r\nhello\r\n`,
    'ffffffffffffff\r\nhello',
    '5;a="\\\r\nhello\r\n',
    '5;a="b"c\r\nhello\r\n',
    '-1\r\n',
    '0x5\r\nhello\r\n',
    '0\r\nX y: 1\r\n\r\n',
    `0\r\nX: ${'x'.repeat(20_000)}`,
    `5;${'x'.repeat(2000)}\r\n`,
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.equal(walk([latin1(text)]), undefined);
      assert.equal(walk([...latin1(text)].map((byte) => Buffer.from([byte]))), undefined);
    });
  }

  it('never accepts what llhttp refuses or reads otherwise', () => {
    let done = 0;
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    fc.assert(
      fc.property(
        mutated(fc.constantFrom(whole, '0\r\n\r\n', 'a\r\n0123456789\r\n0\r\n\r\n')),
        (body) => {
          const walked = walk([body]);
          if (walked === undefined) return;
          const [contents, trailer, used] = walked;
          // Trailer fields are judged when they are complete, and not passed on before.
          if (trailer === '(not done)') return;
          const parsed = parseWithLlhttp(
            'request',
            Buffer.concat([latin1(head), body.subarray(0, used)]),
          );
          assert.ok(parsed !== undefined, 'llhttp refuses it');
          assert.equal(parsed.body, contents);
          assert.ok(parsed.complete);
          done++;
        },
      ),
      { numRuns },
    );
    assert.ok(done > 500, `only ${done} ended`);
  });
});
