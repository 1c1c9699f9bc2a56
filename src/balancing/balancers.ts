// The balancing policies by name.
import type { Random } from '../core/random.ts';
import type { Balancer } from './balancer.ts';
import { PowerOfTwoChoices } from './power-of-two-choices.ts';
import { RandomChoice } from './random-choice.ts';
import { RoundRobin } from './round-robin.ts';

export const balancers = {
  p2c: (random: Random): Balancer => new PowerOfTwoChoices(random),
  'round-robin': (): Balancer => new RoundRobin(),
  random: (random: Random): Balancer => new RandomChoice(random),
} as const;

export type BalancerName = keyof typeof balancers;

export const balancerNames = Object.keys(balancers) as readonly BalancerName[];
