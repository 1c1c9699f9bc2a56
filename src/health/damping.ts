// Rise and fall: how the results of single rounds become a state that does not flap. Pure.

export interface DampingRules {
  /** Consecutive passes until healthy, and failures until unhealthy. */
  readonly rise: number;
  readonly fall: number;
  /** Failures count only after this time, or as soon as the app was healthy once. */
  readonly startPeriodMs: number;
}

export interface FailingProbe {
  /** The probe's name. */
  readonly probe: string;
  readonly refused: boolean;
  readonly cause: string;
}

/** All probes asked once. */
export interface Round {
  /** Monotonic ms when the round ended. */
  readonly atMs: number;
  /** Empty when every probe passed. */
  readonly failing: readonly FailingProbe[];
}

interface Common {
  /** Monotonic ms when the app came into this state. */
  readonly sinceMs: number;
  /** The probes that failed in the last round, with their causes. */
  readonly failing: readonly FailingProbe[];
}

/**
 * `passes` and `failures` are consecutive rounds.
 * - `starting`: nothing is proved yet; not to be called.
 * - `healthy`: `rise` rounds in a row passed.
 * - `unhealthy`: `fall` rounds in a row failed, or a healthy app refused a connection.
 */
export type HealthState =
  | (Common & { readonly kind: 'starting'; readonly passes: number; readonly failures: number })
  | (Common & { readonly kind: 'healthy'; readonly failures: number })
  | (Common & { readonly kind: 'unhealthy'; readonly passes: number });

export function startingAt(nowMs: number): HealthState {
  return { kind: 'starting', sinceMs: nowMs, passes: 0, failures: 0, failing: [] };
}

/**
 * The state after one more round.
 *
 * In the start period of an app that was never healthy a failure only ends a run of passes. A pass counts as ever, so the app
 * may be healthy before the period ends; from then on failures count as well. A refused connection needs no repetition to
 * make a healthy app unhealthy (nothing listens there); while starting it is one failure, for an app that still loads refuses.
 */
export function afterRound(state: HealthState, round: Round, rules: DampingRules): HealthState {
  return round.failing.length === 0
    ? afterPass(state, round, rules)
    : afterFailure(state, round, rules);
}

/** A count has begun or the app is not healthy: the next rounds decide, so they should come soon. */
export function isChanging(state: HealthState): boolean {
  return state.kind !== 'healthy' || state.failures > 0;
}

function afterPass(state: HealthState, round: Round, rules: DampingRules): HealthState {
  if (state.kind === 'healthy') return { ...state, failures: 0, failing: [] };
  const passes = state.passes + 1;
  if (passes >= rules.rise) {
    return { kind: 'healthy', sinceMs: round.atMs, failures: 0, failing: [] };
  }
  return state.kind === 'starting'
    ? { ...state, passes, failures: 0, failing: [] }
    : { ...state, passes, failing: [] };
}

function afterFailure(state: HealthState, round: Round, rules: DampingRules): HealthState {
  const { failing } = round;
  if (state.kind === 'unhealthy') return { ...state, passes: 0, failing };
  if (state.kind === 'starting' && round.atMs - state.sinceMs < rules.startPeriodMs) {
    return { ...state, passes: 0, failing };
  }
  const failures = state.failures + 1;
  const refusedWhileHealthy = state.kind === 'healthy' && failing.some(({ refused }) => refused);
  if (failures >= rules.fall || refusedWhileHealthy) {
    return { kind: 'unhealthy', sinceMs: round.atMs, passes: 0, failing };
  }
  return state.kind === 'starting'
    ? { ...state, passes: 0, failures, failing }
    : { ...state, failures, failing };
}
