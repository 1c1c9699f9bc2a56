// The rise/fall rule, as properties over any sequence of rounds.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  afterRound,
  isChanging,
  startingAt,
  type DampingRules,
  type FailingProbe,
  type HealthState,
} from '../../src/health/damping.ts';

type Outcome = 'pass' | 'fail' | 'refuse';

const stepMs = 100;

function failing(outcome: Outcome): readonly FailingProbe[] {
  if (outcome === 'pass') return [];
  return [{ probe: 'p', refused: outcome === 'refuse', cause: outcome }];
}

/** The states after each of the outcomes, one every 100 ms from 100 ms on; the app started at 0. */
function statesAfter(outcomes: readonly Outcome[], rules: DampingRules): HealthState[] {
  let state = startingAt(0);
  return outcomes.map((outcome, index) => {
    state = afterRound(state, { atMs: (index + 1) * stepMs, failing: failing(outcome) }, rules);
    return state;
  });
}

const anyRules = fc.record({
  rise: fc.integer({ min: 1, max: 4 }),
  fall: fc.integer({ min: 1, max: 4 }),
  startPeriodMs: fc.constantFrom(0, 250, 1000),
});
const anyOutcomes = fc.array(fc.constantFrom<Outcome>('pass', 'fail', 'refuse'), { maxLength: 40 });

/** Checks `property` at each change of kind: the outcomes up to it, the kinds before and after. */
function forEachChange(
  property: (
    until: readonly Outcome[],
    change: readonly [string, string],
    rules: DampingRules,
  ) => void,
): void {
  fc.assert(
    fc.property(anyOutcomes, anyRules, (outcomes, rules) => {
      let before = startingAt(0).kind;
      for (const [index, { kind }] of statesAfter(outcomes, rules).entries()) {
        if (kind !== before) property(outcomes.slice(0, index + 1), [before, kind], rules);
        before = kind;
      }
    }),
  );
}

describe('damping', () => {
  it('becomes healthy only after `rise` passes in a row', () => {
    forEachChange((until, [, after], { rise }) => {
      if (after !== 'healthy') return;
      assert.deepEqual(until.slice(-rise), new Array(rise).fill('pass'));
    });
  });

  it('becomes unhealthy only after `fall` failures in a row, or a refusal while healthy', () => {
    forEachChange((until, [before, after], { fall }) => {
      if (after !== 'unhealthy') return;
      const last = until.slice(-fall);
      const fallen = last.length === fall && !last.includes('pass');
      assert.ok(fallen || (before === 'healthy' && until.at(-1) === 'refuse'));
    });
  });

  it('never returns to starting', () => {
    forEachChange((_until, [, after]) => {
      assert.notEqual(after, 'starting');
    });
  });

  it('is healthy after `rise` passes and unhealthy after `fall` failures, whatever came before', () => {
    fc.assert(
      fc.property(anyOutcomes, anyRules, (outcomes, rules) => {
        const passes = new Array<Outcome>(rules.rise).fill('pass');
        assert.equal(statesAfter([...outcomes, ...passes], rules).at(-1)?.kind, 'healthy');
        const late = new Array<Outcome>(10 + rules.fall).fill('fail');
        assert.equal(statesAfter([...outcomes, ...late], rules).at(-1)?.kind, 'unhealthy');
      }),
    );
  });

  it('does not count failures in the start period of an app that was never healthy', () => {
    fc.assert(
      fc.property(anyOutcomes, anyRules, (outcomes, rules) => {
        let wasHealthy = false;
        for (const [index, state] of statesAfter(outcomes, rules).entries()) {
          wasHealthy ||= state.kind === 'healthy';
          const inStartPeriod = (index + 1) * stepMs < rules.startPeriodMs;
          if (inStartPeriod && !wasHealthy) {
            assert.equal(state.kind, 'starting');
            assert.equal('failures' in state && state.failures, 0);
          }
        }
      }),
    );
  });

  it('keeps the time of the last change of kind, and the causes of the last round', () => {
    fc.assert(
      fc.property(anyOutcomes, anyRules, (outcomes, rules) => {
        let before = startingAt(0);
        for (const [index, state] of statesAfter(outcomes, rules).entries()) {
          const outcome = outcomes[index] ?? 'pass';
          const atMs = (index + 1) * stepMs;
          assert.equal(state.sinceMs, state.kind === before.kind ? before.sinceMs : atMs);
          assert.deepEqual(state.failing, failing(outcome));
          before = state;
        }
      }),
    );
  });

  it('is settled only while healthy without a failure', () => {
    fc.assert(
      fc.property(anyOutcomes, anyRules, (outcomes, rules) => {
        for (const [index, state] of statesAfter(outcomes, rules).entries()) {
          const settled = state.kind === 'healthy' && outcomes[index] === 'pass';
          assert.equal(isChanging(state), !settled);
        }
      }),
    );
  });

  it('lets a success in the start period count, and failures after it', () => {
    const rules = { rise: 2, fall: 2, startPeriodMs: 60_000 };
    const kinds = statesAfter(['fail', 'pass', 'pass', 'fail', 'fail'], rules).map(
      ({ kind }) => kind,
    );
    assert.deepEqual(kinds, ['starting', 'starting', 'healthy', 'healthy', 'unhealthy']);
  });

  it('takes a refusal while starting as one failure', () => {
    const rules = { rise: 1, fall: 3, startPeriodMs: 0 };
    const kinds = statesAfter(['refuse', 'refuse', 'refuse'], rules).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['starting', 'starting', 'unhealthy']);
  });
});
