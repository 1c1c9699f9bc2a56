// Balancing by load: of two instances chosen by chance, the one expected to answer first.
import type { Random } from '../core/random.ts';
import type { Balancer } from './balancer.ts';
import type { Candidate, Candidates } from './candidates.ts';

/**
 * Mitzenmacher's two choices over latency × queue. Two random picks avoid the herd that "least loaded of all" makes when
 * many agents see the same snapshot, at a cost that does not grow with the number of instances.
 */
export class PowerOfTwoChoices implements Balancer {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick<C extends Candidate>(candidates: Candidates<C>, nowMs: number): C | undefined {
    const { members, weightMean } = candidates;
    if (members.length < 2) return members[0];
    const index = candidates.indexAt(this.#random());
    const first = members[index];
    const second = members[candidates.indexOfOther(index, this.#random)];
    if (first === undefined || second === undefined) return first;
    return isBetter(second, first, weightMean, nowMs) ? second : first;
  }
}

/** Latencies that differ by less are taken for the same: else the best of many equals would get nearly all idle traffic. */
const alikeMs = 2;
const alikeRatio = 2;

/**
 * The weight has already decided how often each is sampled, so it only scales the queue here: a heavier instance may hold
 * proportionally more. Latencies are compared once both are known; a new instance would else get all traffic or none.
 */
function isBetter(a: Candidate, b: Candidate, weightMean: number, nowMs: number): boolean {
  const queueOfA = 1 + (a.outstanding * weightMean) / a.weight;
  const queueOfB = 1 + (b.outstanding * weightMean) / b.weight;
  const latencyOfA = a.latencyMs(nowMs);
  const latencyOfB = b.latencyMs(nowMs);
  if (latencyOfA === undefined || latencyOfB === undefined || areAlike(latencyOfA, latencyOfB)) {
    return queueOfA < queueOfB;
  }
  return latencyOfA * queueOfA < latencyOfB * queueOfB;
}

function areAlike(oneMs: number, otherMs: number): boolean {
  const lessMs = Math.min(oneMs, otherMs);
  const moreMs = Math.max(oneMs, otherMs);
  return moreMs - lessMs <= alikeMs || moreMs <= lessMs * alikeRatio;
}
