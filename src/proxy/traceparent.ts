// The ids that a request gets when it brings none (W3C Trace Context, version 00).
import type { Random } from '../core/random.ts';

/** Sampled: a flag that says otherwise would switch off the tracing of the callee. */
const form = Buffer.from('00-00000000000000000000000000000000-0000000000000000-01', 'latin1');
const traceFrom = 3;
const spanFrom = 36;
const hexDigits = Buffer.from('0123456789abcdef', 'latin1');

/**
 * A `traceparent` with random ids. The span's id, which must differ within its trace only, is a part of the trace's. Digits
 * written as bytes cost a fraction of numbers written as texts, and each request needs some.
 */
export function newTraceparent(random: Random): string {
  writeDigits(traceFrom, random);
  writeDigits(traceFrom + 8, random);
  writeDigits(traceFrom + 16, random);
  writeDigits(traceFrom + 24, random);
  for (let index = 0; index < 16; index++)
    form[spanFrom + index] = form[traceFrom + 8 + index] ?? 0;
  return form.toString('latin1');
}

/** Eight of them; not all are zero, for an id of zeroes means "invalid". */
function writeDigits(from: number, random: Random): void {
  let number = Math.floor(random() * 0x1_0000_0000) || 1;
  for (let at = from; at < from + 8; at++) {
    form[at] = hexDigits[number & 15] ?? 0;
    number >>>= 4;
  }
}
