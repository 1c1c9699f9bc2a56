import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ejection } from '../../src/resilience/ejection.ts';

const options = { afterFailures: 3, minMs: 1000, maxMs: 60_000 };
/** No jitter. */
const middle = (): number => 0.5;

describe('Ejection', () => {
  it('is due after consecutive failures only', () => {
    const ejection = new Ejection(options, middle);
    assert.deepEqual([ejection.failed(), ejection.failed()], [false, false]);
    ejection.succeeded();
    assert.deepEqual(
      [ejection.failed(), ejection.failed(), ejection.failed()],
      [false, false, true],
    );
  });

  it('lasts twice as long each time, up to the maximum', () => {
    const ejection = new Ejection(options, middle);
    const durations = [ejection.eject('ECONNREFUSED', 0)];
    for (let round = 0; round < 8; round++) {
      ejection.probe();
      durations.push(ejection.probeFailed('ECONNREFUSED', 0));
    }
    const seconds = durations.map((durationMs) => (durationMs ?? 0) / 1000);
    assert.deepEqual(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('readmits on trial: one more failure is enough, and counts as the next round', () => {
    const ejection = new Ejection(options, middle);
    ejection.eject('status 500', 0);
    ejection.probe();
    ejection.readmit(1000);
    assert.equal(ejection.state.kind, 'in');
    assert.equal(ejection.failed(), true);
    assert.equal(ejection.eject('status 500', 1500), 2000);
  });

  it('forgets its past after being in for the longest ejection', () => {
    const ejection = new Ejection(options, middle);
    ejection.eject('reset', 0);
    ejection.readmit(1000);
    assert.equal(ejection.eject('reset', 62_000), 1000);
  });

  it('spreads the time by a quarter', () => {
    const low = new Ejection(options, () => 0).eject('reset', 0);
    const high = new Ejection(options, () => 0.999_999).eject('reset', 0);
    assert.deepEqual([low, Math.round(high ?? 0)], [750, 1250]);
  });

  it('ignores transitions that do not exist in its state', () => {
    const ejection = new Ejection(options, middle);
    ejection.probe();
    assert.equal(ejection.probeFailed('x', 0), undefined);
    ejection.readmit(0);
    assert.equal(ejection.state.kind, 'in');
    ejection.eject('x', 0);
    assert.equal(ejection.eject('y', 0), undefined);
    assert.equal(ejection.failed(), false);
  });
});
