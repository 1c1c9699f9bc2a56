// The process's own clock.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';

it('does not take a delay that is too long for a timer for a short one', async () => {
  let isEarly = false;
  const timer = systemClock.after(2 ** 32, () => (isEarly = true));
  // Timers fire in the order of their times.
  await systemClock.sleep(2);
  timer.cancel();
  assert.equal(isEarly, false);
});
