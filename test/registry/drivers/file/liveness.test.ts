// When a heartbeat is too old.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isFresh,
  looked,
  missed,
  type Freshness,
} from '../../../../src/registry/drivers/file/liveness.ts';

const ttlMs = 6000;
const hourMs = 3_600_000;
/** Wall-clock time of the file system when the reader's monotonic clock shows 0. */
const epochMs = 1_700_000_000_000;

/** A look at monotonic `nowMs` at a heartbeat of `beatMs`, both counted from the same moment. */
function look(
  previous: Freshness | undefined,
  nowMs: number,
  beatMs: number,
  jumpMs = 0,
): Freshness {
  const serverNowMs = epochMs + nowMs + jumpMs;
  return looked(previous, { mtimeMs: epochMs + beatMs, serverNowMs, nowMs, ttlMs });
}

describe('liveness', () => {
  it('counts the lease time from the beat, not from the look', () => {
    const seen = look(undefined, 5000, 1000);
    assert.equal(seen.freshUntilMs, 7000);
    assert.equal(isFresh(seen, 6999), true);
    assert.equal(isFresh(seen, 7000), false);
  });

  it('knows the long dead at first sight', () => {
    assert.equal(isFresh(look(undefined, 0, -7000), 0), false);
  });

  it('is not prolonged by looking at the same beat', () => {
    const seen = look(undefined, 1000, 1000);
    assert.equal(look(seen, 6000, 1000).freshUntilMs, 7000);
  });

  it('is prolonged by a new beat', () => {
    assert.equal(look(look(undefined, 1000, 1000), 6000, 5000).freshUntilMs, 11_000);
  });

  it('survives a clock that is set forward between the beat and the look', () => {
    const seen = look(undefined, 1000, 1000);
    const jumped = look(seen, 3000, 2500, hourMs);
    assert.equal(isFresh(jumped, 3000), true);
    assert.ok(jumped.freshUntilMs >= 1000 + ttlMs);
  });

  it('survives a clock that is set forward without a new beat', () => {
    const seen = look(undefined, 1000, 1000);
    assert.equal(look(seen, 3000, 1000, hourMs).freshUntilMs, 7000);
  });

  it('gives a beat from the future one lease time since it was first seen', () => {
    const seen = look(undefined, 1000, hourMs);
    assert.equal(seen.freshUntilMs, 7000);
    assert.equal(isFresh(look(seen, 7000, hourMs), 7000), false);
  });

  it('gives the owner of lost files one lease time', () => {
    const lost = missed(look(undefined, 1000, 1000), 6900, ttlMs);
    assert.equal(isFresh(lost, 12_899), true);
    assert.equal(isFresh(lost, 12_900), false);
  });
});
