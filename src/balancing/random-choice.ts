// Balancing by chance, in proportion to the weights.
import type { Random } from '../core/random.ts';
import type { Balancer } from './balancer.ts';
import type { Candidate, Candidates } from './candidates.ts';

export class RandomChoice implements Balancer {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick<C extends Candidate>(candidates: Candidates<C>): C | undefined {
    return candidates.members[candidates.indexAt(this.#random())];
  }
}
