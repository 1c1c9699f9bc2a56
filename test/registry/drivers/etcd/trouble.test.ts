import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Trouble } from '../../../../src/registry/drivers/etcd/trouble.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

describe('trouble', () => {
  it('counts from the first answer after it', async () => {
    const clock = new FakeClock();
    const trouble = new Trouble({ clock });
    trouble.end();
    assert.equal(trouble.isWithin(1000), false, 'there was none');
    trouble.begin();
    await clock.advance(5000);
    assert.equal(trouble.isWithin(1000), true);
    trouble.end();
    await clock.advance(999);
    trouble.end();
    assert.equal(trouble.isWithin(1000), true);
    await clock.advance(1);
    assert.equal(trouble.isWithin(1000), false);
  });
});
