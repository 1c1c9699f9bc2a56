// The balancing policies by name.
import type { Random } from '../core/random.ts';
import type { Candidate, Candidates } from './candidates.ts';
import { PowerOfTwoChoices } from './power-of-two-choices.ts';
import { RandomChoice } from './random-choice.ts';
import { RoundRobin } from './round-robin.ts';

/** Chooses an instance; keeps no more state than its own position. */
export interface Balancer {
  /** Undefined only when there is no candidate. */
  pick<C extends Candidate>(candidates: Candidates<C>, nowMs: number): C | undefined;
}

export const balancers = {
  p2c: (random: Random): Balancer => new PowerOfTwoChoices(random),
  'round-robin': (): Balancer => new RoundRobin(),
  random: (random: Random): Balancer => new RandomChoice(random),
} as const;

export type BalancerName = keyof typeof balancers;
