import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { withEither } from '../../src/core/either-signal.ts';

describe('withEither', () => {
  it('aborts with either, and with its reason', async () => {
    for (const which of [0, 1]) {
      const controllers = [new AbortController(), new AbortController()] as const;
      const [first, second] = controllers;
      const seen = withEither(first.signal, second.signal, async (signal) => {
        controllers[which]?.abort(new Error(`by ${which}`));
        return (signal.reason as Error).message;
      });
      assert.equal(await seen, `by ${which}`);
    }
    const aborted = AbortSignal.abort(new Error('before'));
    const ran = await withEither(new AbortController().signal, aborted, async (s) => s.aborted);
    assert.equal(ran, true);
  });

  it('leaves nothing on either, however it ends', async () => {
    const { signal } = new AbortController();
    const other = new AbortController();
    assert.equal(await withEither(signal, other.signal, async () => 7), 7);
    await assert.rejects(
      withEither(signal, other.signal, () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.equal(getEventListeners(other.signal, 'abort').length, 0);
  });
});
