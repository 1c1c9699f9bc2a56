import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseFromWorker, parseToWorker } from '../../../src/agent/workers/messages.ts';

describe('a message', () => {
  it('is read when it has the fields of its kind', () => {
    const messages = [
      { kind: 'awake' },
      { kind: 'failed', isConfig: true, message: 'taken' },
      { kind: 'explained', id: 1, explanation: null },
      { kind: 'serving', address: { host: '127.0.0.1', port: 80 } },
    ];
    for (const message of messages) assert.equal(parseFromWorker(message), message);
    const orders = [
      { kind: 'close' },
      { kind: 'drain', timeoutMs: 5 },
      { kind: 'names', id: 1, names: null },
      { kind: 'names', id: 1, names: ['a'] },
      { kind: 'confirmed', ages: [], trouble: null },
      { kind: 'confirmed', ages: [], trouble: 'away' },
    ];
    for (const order of orders) assert.equal(parseToWorker(order), order);
  });

  it('is nothing when it has not, or its kind is unknown', () => {
    const others = [
      ...[undefined, null, 'awake', 7, [], {}, { kind: 7 }, { kind: 'toString' }],
      ...[{ kind: 'close' }, { kind: 'watch' }, { kind: 'watch', service: 7 }],
      ...[
        { kind: 'report', id: 1, report: [] },
        { kind: 'report', id: 1, report: null },
      ],
    ];
    for (const other of others) assert.equal(parseFromWorker(other), undefined);
    for (const other of [
      { kind: 'awake' },
      { kind: 'drain' },
      { kind: 'names', id: 1 },
      { kind: 'confirmed', ages: [] },
    ]) {
      assert.equal(parseToWorker(other), undefined);
    }
  });
});
