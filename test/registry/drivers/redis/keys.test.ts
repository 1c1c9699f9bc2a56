import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { namesKeyOf, namesKeys, serviceKeys } from '../../../../src/registry/drivers/redis/keys.ts';
import { slotOf } from '../../../../src/registry/drivers/redis/hash-slot.ts';

describe('the keys in Redis', () => {
  it('of a service share one hash tag', () => {
    assert.deepEqual(serviceKeys('sd', 'payments', 0), [
      'sd:{payments}:i',
      'sd:{payments}:x',
      'sd:{payments}:m',
      'sd:{payments}:l',
      'sd:{payments}:c',
    ]);
  });

  it('have a channel for each database, as a server shares channels among them', () => {
    assert.equal(serviceKeys('sd', 'payments', 3).at(-1), 'sd:{payments}:c:3');
  });

  it('have one set of names, or several whose slots differ', () => {
    assert.deepEqual(namesKeys('sd', 1), [{ key: 'sd:svc', tag: '' }]);
    const keys = namesKeys('sd', 16);
    assert.equal(keys.length, 16);
    assert.deepEqual(keys[15], { key: 'sd:svc:{15}', tag: '15' });
    assert.deepEqual(namesKeyOf('sd', 16, 'payments'), keys[slotOf('payments') % 16]);
    assert.deepEqual(namesKeyOf('sd', 1, 'payments'), { key: 'sd:svc', tag: '' });
  });
});
