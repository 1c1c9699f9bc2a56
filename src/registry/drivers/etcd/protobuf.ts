// Protocol buffers' wire format, as far as etcd's messages need it: varints, and fields with a length.
import { RegistryError } from '../../../core/errors.ts';

/** A field of the kind `int64`, `bool` or an enum. Zero is the default of each and need not be written. */
export function varintField(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** A field of the kind `bytes`, `string` or a message. */
export function bytesField(field: number, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

export function messageOfFields(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** What a reader of a message is told, in the order of the message. Fields that it does not know it ignores. */
export interface FieldSink {
  /** Signed, as all of etcd's numbers that matter here are. */
  varint?(field: number, value: bigint): void;
  /** Shares the message's memory. */
  bytes?(field: number, value: Buffer): void;
}

/** Throws `registry_invalid` for what is no message. */
export function readFields(message: Buffer, sink: FieldSink): void {
  const cursor = { message, at: 0 };
  while (cursor.at < message.length) {
    const tag = Number(readVarint(cursor));
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0: {
        const value = BigInt.asIntN(64, readVarint(cursor));
        sink.varint?.(field, value);
        break;
      }
      case 1:
        take(cursor, 8);
        break;
      case 2: {
        const value = take(cursor, Number(readVarint(cursor)));
        sink.bytes?.(field, value);
        break;
      }
      case 5:
        take(cursor, 4);
        break;
      default:
        throw malformed();
    }
  }
}

interface Cursor {
  readonly message: Buffer;
  at: number;
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** 64 bits take ten bytes at most. */
const varintBytesMax = 10;

function readVarint(cursor: Cursor): bigint {
  let low = 0;
  let high = 0n;
  for (let count = 0; count < varintBytesMax; count++) {
    const byte = cursor.message[cursor.at++];
    if (byte === undefined) throw malformed();
    const bits = byte & 127;
    // Seven bytes fit in a number, and most varints are that short.
    if (count < 7) low += bits * 2 ** (7 * count);
    else high |= BigInt(bits) << BigInt(7 * count);
    if (byte < 128) return high === 0n ? BigInt(low) : BigInt(low) + high;
  }
  throw malformed();
}

function take(cursor: Cursor, length: number): Buffer {
  const end = cursor.at + length;
  if (end > cursor.message.length) throw malformed();
  const bytes = cursor.message.subarray(cursor.at, end);
  cursor.at = end;
  return bytes;
}

function malformed(): RegistryError {
  return new RegistryError('registry_invalid', 'etcd: an answer is no protobuf message');
}
