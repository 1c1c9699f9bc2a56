import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { namesKey, serviceKeys } from '../../../../src/registry/drivers/redis/keys.ts';

describe('the keys in Redis', () => {
  it('of a service share one hash tag', () => {
    assert.deepEqual(serviceKeys('sd', 'payments', 0), [
      'sd:{payments}:i',
      'sd:{payments}:x',
      'sd:{payments}:m',
      'sd:{payments}:l',
      'sd:{payments}:c',
    ]);
    assert.equal(namesKey('sd'), 'sd:svc');
  });

  it('have a channel for each database, as a server shares channels among them', () => {
    assert.equal(serviceKeys('sd', 'payments', 3).at(-1), 'sd:{payments}:c:3');
  });
});
