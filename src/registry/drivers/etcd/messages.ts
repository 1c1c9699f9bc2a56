// etcd's messages that the driver sends and reads; numbers as in etcd's rpc.proto and kv.proto.
import { bytesField, messageOfFields, readFields, varintField } from './protobuf.ts';

/** A lease's id: 63 bits, more than a number holds. */
export type LeaseId = bigint;

/** All keys from `from` to before `to`, in the order of their bytes. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
}

export interface RangeAnswer {
  readonly revision: number;
  readonly pairs: readonly KeyValue[];
  /** The limit left some out. */
  readonly more: boolean;
}

/** `value` is empty for a deletion. */
export interface WatchEvent extends KeyValue {
  readonly kind: 'put' | 'delete';
}

export interface WatchAnswer {
  /** −1 for what concerns the whole stream. */
  readonly watchId: number;
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Above 0 when what is asked for has been compacted. */
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

export function rangeRequest(
  range: KeyRange,
  options: { readonly limit?: number; readonly keysOnly?: boolean } = {},
): Buffer {
  return messageOfFields(
    bytesField(1, range.from),
    bytesField(2, range.to),
    varintField(3, options.limit ?? 0),
    varintField(8, options.keysOnly === true ? 1 : 0),
  );
}

export function putRequest(key: string, value: string, leaseId: LeaseId): Buffer {
  return messageOfFields(bytesField(1, key), bytesField(2, value), varintField(3, leaseId));
}

export function deleteRequest(key: string): Buffer {
  return bytesField(1, key);
}

/** A transaction: if the key exists, it gets the value and keeps its lease. */
export function replaceRequest(key: string, value: string): Buffer {
  const greater = 1;
  const comparesVersion = 0;
  const exists = messageOfFields(
    varintField(1, greater),
    varintField(2, comparesVersion),
    bytesField(3, key),
    varintField(4, 0),
  );
  const put = messageOfFields(bytesField(1, key), bytesField(2, value), varintField(6, 1));
  return messageOfFields(bytesField(1, exists), bytesField(2, bytesField(2, put)));
}

export function leaseGrantRequest(ttlSeconds: number): Buffer {
  return varintField(1, ttlSeconds);
}

/** For keep-alive and revoke. */
export function leaseRequest(leaseId: LeaseId): Buffer {
  return varintField(1, leaseId);
}

export function leaseKeysRequest(leaseId: LeaseId): Buffer {
  return messageOfFields(varintField(1, leaseId), varintField(2, 1));
}

/** Events of the range from `revision` on. */
export function watchCreateRequest(range: KeyRange, revision: number): Buffer {
  const create = messageOfFields(
    bytesField(1, range.from),
    bytesField(2, range.to),
    varintField(3, revision),
  );
  return bytesField(1, create);
}

export function watchCancelRequest(watchId: number): Buffer {
  return bytesField(2, varintField(1, watchId));
}

export function watchProgressRequest(): Buffer {
  return bytesField(3, '');
}

export function authenticateRequest(user: string, password: string): Buffer {
  return messageOfFields(bytesField(1, user), bytesField(2, password));
}

export function readToken(message: Buffer): string {
  let token = '';
  readFields(message, {
    bytes: (field, value) => {
      if (field === 2) token = value.toString('latin1');
    },
  });
  return token;
}

export function readRange(message: Buffer): RangeAnswer {
  const pairs: KeyValue[] = [];
  let revision = 0;
  let more = false;
  readFields(message, {
    varint: (field, value) => {
      if (field === 3) more = value !== 0n;
    },
    bytes: (field, value) => {
      if (field === 1) revision = readRevision(value);
      if (field === 2) pairs.push(readKeyValue(value));
    },
  });
  return { revision, pairs, more };
}

/** The id and the seconds of a granted or kept lease; a keep-alive of a lease that is gone has no seconds. */
export function readLease(message: Buffer): { readonly id: LeaseId; readonly ttlSeconds: number } {
  let id = 0n;
  let ttlSeconds = 0;
  readFields(message, {
    varint: (field, value) => {
      if (field === 2) id = value;
      if (field === 3) ttlSeconds = Number(value);
    },
  });
  return { id, ttlSeconds };
}

export function readLeaseKeys(message: Buffer): ReadonlySet<string> {
  const keys = new Set<string>();
  readFields(message, {
    bytes: (field, value) => {
      if (field === 5) keys.add(value.toString());
    },
  });
  return keys;
}

export function readWatchAnswer(message: Buffer): WatchAnswer {
  const numbers = new Map<number, number>();
  const events: WatchEvent[] = [];
  let revision = 0;
  let cancelReason = '';
  readFields(message, {
    varint: (field, value) => void numbers.set(field, Number(value)),
    bytes: (field, value) => {
      if (field === 1) revision = readRevision(value);
      if (field === 6) cancelReason = value.toString();
      if (field === 11) events.push(readEvent(value));
    },
  });
  return {
    watchId: numbers.get(2) ?? 0,
    revision,
    created: numbers.get(3) === 1,
    canceled: numbers.get(4) === 1,
    compactRevision: numbers.get(5) ?? 0,
    cancelReason,
    events,
  };
}

function readRevision(header: Buffer): number {
  let revision = 0;
  readFields(header, {
    varint: (field, value) => {
      if (field === 3) revision = Number(value);
    },
  });
  return revision;
}

function readKeyValue(message: Buffer): KeyValue {
  let key = '';
  let bytes: Buffer = Buffer.alloc(0);
  readFields(message, {
    bytes: (field, value) => {
      if (field === 1) key = value.toString();
      if (field === 5) bytes = value;
    },
  });
  return { key, value: bytes };
}

function readEvent(message: Buffer): WatchEvent {
  let kind: WatchEvent['kind'] = 'put';
  let pair: KeyValue = { key: '', value: Buffer.alloc(0) };
  readFields(message, {
    varint: (field, value) => {
      if (field === 1 && value === 1n) kind = 'delete';
    },
    bytes: (field, value) => {
      if (field === 2) pair = readKeyValue(value);
    },
  });
  return { kind, ...pair };
}
