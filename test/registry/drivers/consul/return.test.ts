import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Return } from '../../../../src/registry/drivers/consul/return.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

it('a return from an outage lasts for one lease time after the first answer', async () => {
  const clock = new FakeClock();
  const back = new Return(clock, { leaseMs: 1000 });
  assert.equal(back.answered(), false);
  back.failed();
  await clock.advance(5000);
  assert.equal(back.answered(), true);
  await clock.advance(999);
  assert.equal(back.answered(), true);
  await clock.advance(1);
  assert.equal(back.answered(), false);
});
