import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayRepeat } from '../../src/resilience/retry.ts';

const sent = { idempotencyKey: false, neverSent: false, bodyLost: false };

describe('mayRepeat', () => {
  it('repeats what RFC 9110 calls idempotent, and nothing else, once it was sent', () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      assert.equal(mayRepeat({ ...sent, method }), true, method);
    }
    for (const method of ['POST', 'PATCH', 'CONNECT', 'LOCK', 'get']) {
      assert.equal(mayRepeat({ ...sent, method }), false, method);
    }
  });

  it('repeats any method that was never sent, or whose client vouches for it', () => {
    assert.equal(mayRepeat({ ...sent, method: 'POST', neverSent: true }), true);
    assert.equal(mayRepeat({ ...sent, method: 'POST', idempotencyKey: true }), true);
  });

  it('repeats nothing whose body is lost', () => {
    assert.equal(mayRepeat({ ...sent, method: 'PUT', bodyLost: true }), false);
    assert.equal(mayRepeat({ ...sent, method: 'POST', neverSent: true, bodyLost: true }), false);
  });
});
