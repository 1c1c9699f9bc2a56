// Balancing in turn, in proportion to the weights.
import type { Balancer } from './balancer.ts';
import type { Candidate, Candidates } from './candidates.ts';

/** The golden ratio's fraction: its multiples modulo 1 are spread as evenly as possible at every length. */
const evenStep = (Math.sqrt(5) - 1) / 2;

export class RoundRobin implements Balancer {
  #turn = 0;

  /** Equal weights take turns in order; other weights are interleaved evenly, not in runs. */
  pick<C extends Candidate>(candidates: Candidates<C>): C | undefined {
    const turn = this.#turn++;
    const { members, weightsEqual } = candidates;
    return members[
      weightsEqual ? turn % members.length : candidates.indexAt((turn * evenStep) % 1)
    ];
  }
}
