// The verdict of the soak: what grows breaks a bound, what is noise does not.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { growth, verdict, type Sample } from '../../bench/soak/verdict.ts';
import { seededRandom } from '../support/seeded-random.ts';

const minutes = 60;
const samplesPerMinute = 30;
const rest: Sample = { atMinutes: 0, residentMb: 100, heapMb: 10, descriptors: 23, sockets: 15 };
const good = { restBefore: rest, restAfter: rest, failed: 0, missed: 0, renewals: 1800 };

/** A soak of an hour, as `of` has it at each time. */
function soak(of: (atMinutes: number) => Partial<Sample>): Sample[][] {
  return Array.from({ length: minutes }, (_, minute) =>
    Array.from({ length: samplesPerMinute }, (_, n) => {
      const atMinutes = minute + n / samplesPerMinute;
      return { ...rest, ...of(atMinutes), atMinutes };
    }),
  );
}

/** An agent that does not grow: figures go up and down by chance, the heap as it is filled and collected. */
function noisy(seed: number): (atMinutes: number) => Sample {
  const random = seededRandom(seed);
  return (atMinutes) => ({
    atMinutes,
    residentMb: 110 + 10 * random(),
    heapMb: 10 + 30 * random(),
    descriptors: Math.round(200 + 40 * random()),
    sockets: 190,
  });
}

function broken(samples: readonly (readonly Sample[])[]): string[] {
  const { isFlat, lines } = verdict({ ...good, growth: growth(samples) });
  const names = lines.flatMap((line) => /^NOT ([^:]+):/.exec(line)?.[1] ?? []);
  assert.equal(isFlat, names.length === 0);
  return names;
}

describe('growth', () => {
  it('is that of a straight line through the second half', () => {
    const { residentMb, descriptors } = growth(
      soak((atMinutes) => ({ residentMb: 100 + atMinutes / 10, descriptors: 200 })),
    );
    const about = (value: number): number => Math.round(value * 1000) / 1000;
    assert.equal(about(residentMb.perHour), 6);
    // From minute 30 to the last sample.
    assert.equal(about(residentMb.grown), 2.997);
    assert.equal(about(residentMb.error), 0);
    assert.equal(about(descriptors.grown), 0);
  });

  it('of the heap is that of the least of each minute', () => {
    // It is filled more and more before it is collected, and nothing is left over.
    const { heapMb } = growth(soak((atMinutes) => ({ heapMb: 10 + (atMinutes % 1) * atMinutes })));
    assert.equal(heapMb.grown, 0);
  });
});

describe('the verdict', () => {
  it('is flat whatever noise there is', () => {
    for (let seed = 1; seed <= 50; seed++) assert.deepEqual(broken(soak(noisy(seed))), []);
  });

  it('is not flat when one figure rises by more than its bound within the noise', () => {
    const cases = [
      { figure: 'residentMb', by: 10, name: 'RSS, MB' },
      { figure: 'heapMb', by: 6, name: 'heap, MB' },
      { figure: 'descriptors', by: 20, name: 'descriptors' },
    ] as const;
    for (const { figure, by, name } of cases) {
      const noise = noisy(1);
      const rising = soak((atMinutes) => {
        const sample = noise(atMinutes);
        return { ...sample, [figure]: sample[figure] + (by * atMinutes) / (minutes / 2) };
      });
      assert.deepEqual(broken(rising), [name]);
    }
  });

  it('lets a first half rise, when the heap settles', () => {
    const settling = soak((atMinutes) => ({ residentMb: 80 + Math.min(atMinutes, 30) }));
    assert.deepEqual(broken(settling), []);
  });

  it('lets a line rise that may be noise', () => {
    const values = [100, 100, 100, 100, 100, 200, 100, 200];
    const few = values.map((residentMb, atMinutes) => [{ ...rest, atMinutes, residentMb }]);
    // Up and down by 100 MB, and the last one happens to be high.
    assert.ok(growth(few).residentMb.grown > 50);
    assert.deepEqual(broken(few), []);
  });

  it('is not flat without samples', () => {
    assert.deepEqual(broken([[], []]), ['RSS, MB', 'heap, MB', 'descriptors']);
  });

  it('is not flat with descriptors left over, a failed request, a missed heartbeat, or none seen', () => {
    const flat = growth(soak(() => ({})));
    const isFlat = (other: Partial<Parameters<typeof verdict>[0]>): boolean =>
      verdict({ ...good, growth: flat, ...other }).isFlat;
    assert.equal(isFlat({}), true);
    assert.equal(isFlat({ restAfter: { ...rest, descriptors: 27 } }), true);
    assert.equal(isFlat({ restAfter: { ...rest, descriptors: 28 } }), false);
    assert.equal(isFlat({ failed: 1 }), false);
    assert.equal(isFlat({ missed: 1 }), false);
    assert.equal(isFlat({ renewals: 0 }), false);
  });
});
