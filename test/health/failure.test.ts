// What a probe says of an error.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failedBy } from '../../src/health/failure.ts';

const running = new AbortController().signal;

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

/** As node:net fails when a name has several addresses: the code is the first one's, the message is empty. */
function connectError(...codes: string[]): Error {
  return Object.assign(new AggregateError(codes.map(systemError)), { code: codes[0] });
}

describe('failedBy', () => {
  it('knows a refused connection', () => {
    assert.deepEqual(failedBy(systemError('ECONNREFUSED'), running), {
      ok: false,
      refused: true,
      cause: 'connect ECONNREFUSED',
    });
    assert.deepEqual(failedBy(systemError('ECONNRESET'), running), {
      ok: false,
      refused: false,
      cause: 'connect ECONNRESET',
    });
  });

  it('takes several addresses as refused when each of them refuses, and names every cause', () => {
    assert.deepEqual(failedBy(connectError('ECONNREFUSED', 'ECONNREFUSED'), running), {
      ok: false,
      refused: true,
      cause: 'connect ECONNREFUSED; connect ECONNREFUSED',
    });
    assert.deepEqual(failedBy(connectError('ECONNREFUSED', 'ETIMEDOUT'), running), {
      ok: false,
      refused: false,
      cause: 'connect ECONNREFUSED; connect ETIMEDOUT',
    });
  });

  it('does not hold against the app that this process has no descriptor left', () => {
    const cause = 'connect EMFILE';
    assert.deepEqual(failedBy(systemError('EMFILE'), running), { ok: undefined, cause });
    const both = connectError('ECONNREFUSED', 'EMFILE');
    assert.equal(failedBy(both, running).ok, undefined);
  });

  it('gives the reason of the abort, whatever error that led to', () => {
    const aborted = AbortSignal.abort(new Error('timed out'));
    assert.deepEqual(failedBy(systemError('ECONNREFUSED'), aborted), {
      ok: false,
      refused: false,
      cause: 'timed out',
    });
  });
});
