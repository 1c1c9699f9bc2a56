import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reading } from '../../../../src/registry/driver.ts';
import { EmptyAnswers } from '../../../../src/registry/drivers/dns/empty-answers.ts';
import { instancesOf } from '../../../../src/registry/drivers/dns/records.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function readingOf(...addresses: readonly string[]): Reading {
  const instances = instancesOf('web', [{ host: 'h', port: 80, weight: 1, addresses }]);
  return { instances, version: addresses.join(), malformed: 0 };
}

const [none, one, two] = [readingOf(), readingOf('10.0.0.1'), readingOf('10.0.0.1', '10.0.0.2')];

function fixture(): {
  clock: FakeClock;
  believed: (reading: Reading, service?: string) => Reading;
} {
  const clock = new FakeClock();
  const answers = new EmptyAnswers(clock, 60_000);
  return { clock, believed: (reading, service = 'web') => answers.believed(service, reading) };
}

describe('EmptyAnswers', () => {
  it('believes the second in a row', () => {
    const { believed } = fixture();
    assert.equal(believed(one), one);
    assert.equal(believed(none), one);
    assert.equal(believed(none), none);
    assert.equal(believed(none), none);
  });

  it('begins anew when there was something in between', () => {
    const { believed } = fixture();
    believed(one);
    believed(none);
    assert.equal(believed(two), two);
    assert.equal(believed(none), two);
  });

  it('believes the first of a service that had nothing, or not lately', async () => {
    const { clock, believed } = fixture();
    assert.equal(believed(none), none);
    believed(one);
    await clock.advance(60_001);
    assert.equal(believed(none), none);
  });

  it('keeps services apart, and forgets those that were not asked for longest', () => {
    const { believed } = fixture();
    believed(one);
    assert.equal(believed(none, 'other'), none);
    for (let n = 0; n < 1000; n++) believed(one, `s${n}`);
    assert.equal(believed(none), none);
    assert.equal(believed(none, 's1'), one);
  });
});
