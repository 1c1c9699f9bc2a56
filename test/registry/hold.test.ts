// The rules of which missing instances are held, and for how long.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Instance } from '../../src/core/instance.ts';
import type { Reading } from '../../src/registry/driver.ts';
import {
  applyReading,
  dropHeld,
  firstHoldEndMs,
  nothingKnown,
  type HoldContext,
  type Holding,
  type Outage,
} from '../../src/registry/hold.ts';
import { instanceOf } from '../support/scripted-driver.ts';

const none: Outage = { kind: 'none' };
const interrupted: Outage = { kind: 'interrupted' };
const away: Outage = { kind: 'away', sinceMs: 0 };
const context: HoldContext = { nowMs: 1000, outage: none, leaseMs: 14_000, confirmMs: 1500 };
const five = ['a', 'b', 'c', 'd', 'e'].map((id) => instanceOf(id));

function reading(instances: readonly Instance[], extra: Partial<Reading> = {}): Reading {
  return { instances, version: '1', malformed: 0, ...extra };
}

function ids(holding: Holding): string {
  return holding.instances
    .map(({ id }) => id)
    .sort()
    .join('');
}

const known = applyReading(nothingKnown, reading(five), context);

describe('a sudden loss', () => {
  it('is held until the first reading after the confirmation time', () => {
    const lost = reading(five.slice(0, 2));
    const first = applyReading(known, lost, context);
    assert.equal(ids(first), 'abcde');
    assert.equal(first.held.size, 3);
    assert.equal(firstHoldEndMs(first), 2500);
    const early = applyReading(first, lost, { ...context, nowMs: 2499 });
    assert.equal(ids(early), 'abcde');
    const late = applyReading(early, lost, { ...context, nowMs: 2500 });
    assert.equal(ids(late), 'ab');
    assert.equal(late.held.size, 0);
  });

  it('is over when the instances are listed again', () => {
    const first = applyReading(known, reading([]), context);
    const second = applyReading(first, reading(five), { ...context, nowMs: 1100 });
    assert.equal(second.held.size, 0);
  });

  it('is none when it is less than three, or no more than half', () => {
    const four = applyReading(nothingKnown, reading(five.slice(0, 2)), context);
    assert.equal(ids(applyReading(four, reading([]), context)), '');
    const six = [...five, instanceOf('f')];
    const before = applyReading(nothingKnown, reading(six), context);
    assert.equal(ids(applyReading(before, reading(six.slice(0, 3)), context)), 'abc');
  });

  it('does not count instances that released themselves or whose address was taken over', () => {
    const departed = new Set(['a', 'b', 'c']);
    assert.equal(ids(applyReading(known, reading([], { departed }), context)), '');
    const restarted = five.map((old) => instanceOf(`${old.id}2`, { port: old.port }));
    assert.equal(applyReading(known, reading(restarted), context).held.size, 0);
  });
});

describe('a loss after an outage', () => {
  for (const outage of [interrupted, away]) {
    it(`is held for a lease time, however small (${outage.kind})`, () => {
      const lost = reading(five.slice(1));
      const first = applyReading(known, lost, { ...context, outage });
      assert.equal(ids(first), 'abcde');
      const before = applyReading(first, lost, { ...context, nowMs: 14_999 });
      assert.equal(ids(before), 'abcde');
      assert.equal(ids(applyReading(before, lost, { ...context, nowMs: 15_000 })), 'bcde');
    });
  }

  it('is held when the record is there at first, and ends because nobody could renew it', () => {
    const first = applyReading(known, reading(five), { ...context, outage: interrupted });
    assert.equal(first.held.size, 0);
    const lost = reading(five.slice(1));
    const second = applyReading(first, lost, { ...context, nowMs: 14_000 });
    assert.equal(ids(second), 'abcde');
    assert.equal(firstHoldEndMs(second), 15_000);
    assert.equal(ids(applyReading(second, lost, { ...context, nowMs: 15_000 })), 'bcde');
    const late = applyReading(first, lost, { ...context, nowMs: 15_000 });
    assert.equal(ids(late), 'bcde');
  });

  it('is none when the instance released itself', () => {
    const first = applyReading(known, reading(five), { ...context, outage: away });
    const departed = new Set(['a']);
    assert.equal(ids(applyReading(first, reading(five.slice(1), { departed }), context)), 'bcde');
  });

  it('is held when the backend lost its records', () => {
    const first = applyReading(known, reading([], { reset: true }), context);
    assert.equal(ids(first), 'abcde');
    assert.equal(firstHoldEndMs(first), 15_000);
  });

  it('is held longer by the time that the registry was away again, not by mere interruptions', () => {
    const first = applyReading(known, reading([]), { ...context, outage: away });
    const later = { ...context, nowMs: 10_000 };
    const after = (outage: Outage): Holding =>
      applyReading(first, reading([]), { ...later, outage });
    assert.equal(firstHoldEndMs(after(interrupted)), 15_000);
    assert.equal(firstHoldEndMs(after({ kind: 'away', sinceMs: 7000 })), 18_000);
    const longAway = {
      ...context,
      nowMs: 90_000,
      outage: { kind: 'away', sinceMs: 14_000 },
    } as const;
    const held = applyReading(first, reading([]), longAway);
    assert.equal(ids(held), 'abcde');
    assert.equal(firstHoldEndMs(held), 91_000);
  });

  it('is not held anew when the backend says again that it lost its records', () => {
    const first = applyReading(known, reading([], { reset: true }), context);
    const again = applyReading(first, reading([], { reset: true }), { ...context, nowMs: 10_000 });
    assert.equal(firstHoldEndMs(again), 15_000);
  });

  it('is not held anew by a registry that fails every few seconds', () => {
    let holding = applyReading(known, reading([]), { ...context, outage: away });
    let nowMs = context.nowMs;
    // There for 3 s, away for 5 s.
    for (let present = 0; present < context.leaseMs; present += 3000) {
      assert.equal(ids(holding), 'abcde');
      nowMs += 8000;
      const outage: Outage = { kind: 'away', sinceMs: nowMs - 5000 };
      holding = applyReading(holding, reading([]), { ...context, nowMs, outage });
    }
    assert.equal(ids(holding), '');
  });

  it('takes over a sudden loss that was not confirmed before', () => {
    const sudden = applyReading(known, reading([]), context);
    const after = applyReading(sudden, reading([]), { ...context, outage: interrupted });
    assert.equal(firstHoldEndMs(after), 15_000);
  });
});

describe('dropHeld', () => {
  it('drops an instance that is only held, and no listed one', () => {
    const held = applyReading(known, reading(five.slice(0, 1)), context);
    assert.equal(ids(dropHeld(held, 'e')), 'abcd');
    assert.equal(dropHeld(held, 'e').held.size, 3);
    assert.equal(dropHeld(held, 'a'), held);
  });
});

describe('any sequence of readings', () => {
  const pool = 'abcdefghij'.split('').map((id, index) =>
    // Some share an address, as a restarted process does.
    instanceOf(id, { port: 8000 + (index % 7) }),
  );
  const presentMaxMs = 5000;
  /** One that was sudden at first begins anew with an outage that is seen when its time is over. */
  const longestHoldMs = context.confirmMs + presentMaxMs + context.leaseMs;
  const oneAnAddress = fc
    .subarray(pool)
    .map((list) => [...new Map(list.map((item) => [item.port, item])).values()]);
  const step = fc.record({
    instances: oneAnAddress,
    departed: fc.subarray(pool.map(({ id }) => id)).map((list) => new Set(list)),
    reset: fc.boolean(),
    outage: fc.constantFrom<Outage['kind']>('none', 'interrupted', 'away'),
    presentMs: fc.nat(presentMaxMs),
    awayMs: fc.nat(20_000),
  });

  it('keeps what is listed, forgets the departed, and ends every hold in time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let holding = nothingKnown;
        let nowMs = 0;
        // For how long the registry has been there since an instance was first missing, by id.
        let missedMs = new Map<string, number>();
        for (const { presentMs, awayMs, outage: kind, ...parts } of steps) {
          nowMs += presentMs;
          const outage: Outage = kind === 'away' ? { kind, sinceMs: nowMs } : { kind };
          if (kind === 'away') nowMs += awayMs;
          const before = holding;
          const at = { ...context, nowMs, outage };
          holding = applyReading(before, reading(parts.instances, parts), at);
          const missedBefore = missedMs;
          missedMs = new Map(
            [...holding.held.keys()].map((id) => {
              const soFarMs = missedBefore.get(id);
              return [id, soFarMs === undefined ? 0 : soFarMs + presentMs];
            }),
          );
          const now = new Set(holding.instances.map(({ id }) => id));
          const listed = new Set(parts.instances.map(({ id }) => id));
          assert.equal(now.size, holding.instances.length);
          assert.equal(now.size, listed.size + holding.held.size);
          const addresses = new Set(holding.instances.map(({ port }) => port));
          assert.equal(addresses.size, now.size);
          for (const id of listed) assert.ok(now.has(id) && !holding.held.has(id));
          for (const [id, { untilMs }] of holding.held) {
            assert.ok(!listed.has(id) && !parts.departed.has(id));
            assert.ok(untilMs > nowMs && untilMs <= nowMs + context.leaseMs);
            assert.ok(before.instances.some((instance) => instance.id === id));
            assert.ok((missedMs.get(id) ?? 0) < longestHoldMs);
          }
          const emptied = listed.size === 0 && parts.departed.size === 0;
          if (emptied && (parts.reset || kind === 'away')) {
            for (const { id } of before.instances) assert.ok(now.has(id) || before.held.has(id));
          }
        }
        const quiet = { ...context, nowMs: nowMs + context.leaseMs };
        const settled = applyReading(applyReading(holding, reading([]), quiet), reading([]), {
          ...quiet,
          nowMs: quiet.nowMs + context.confirmMs,
        });
        assert.equal(settled.instances.length, 0);
      }),
    );
  });
});
