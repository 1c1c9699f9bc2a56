// The instances that a balancer may choose from, prepared so that a choice costs no more with a thousand of them.
import type { Random } from '../core/random.ts';

/** What a balancer must know of an instance. */
export interface Candidate {
  /** Share of the load relative to the others; a candidate of weight 0 is never chosen. */
  readonly weight: number;
  /** Requests in flight to it. */
  readonly outstanding: number;
  /** Expected time to a reply, or undefined before there were enough of them. */
  latencyMs(nowMs: number): number | undefined;
}

/** An immutable set of candidates of positive weight. */
export class Candidates<C extends Candidate> {
  readonly members: readonly C[];
  readonly weightMean: number;
  /** Running sums of the weights; undefined when all are equal. */
  readonly #sums: readonly number[] | undefined;
  readonly #weightTotal: number;

  constructor(all: readonly C[]) {
    this.members = all.filter((candidate) => candidate.weight > 0);
    const sums: number[] = [];
    let total = 0;
    for (const { weight } of this.members) sums.push((total += weight));
    this.#weightTotal = total;
    this.weightMean = total / Math.max(1, this.members.length);
    const first = this.members[0]?.weight;
    this.#sums = this.members.every(({ weight }) => weight === first) ? undefined : sums;
  }

  get weightsEqual(): boolean {
    return this.#sums === undefined;
  }

  /** The index of the member at a position in [0, 1) of the line on which each is as long as its weight. */
  indexAt(position: number): number {
    if (this.#sums === undefined) return Math.floor(position * this.members.length);
    return this.#indexOfSum(position * this.#weightTotal);
  }

  /** The index of a member chosen by weight among all but the one at `index`; there must be at least two. */
  indexOfOther(index: number, random: Random): number {
    const count = this.members.length;
    if (this.#sums === undefined) return (index + 1 + Math.floor(random() * (count - 1))) % count;
    const weight = this.members[index]?.weight ?? 0;
    const start = (this.#sums[index] ?? 0) - weight;
    const sum = random() * (this.#weightTotal - weight);
    return this.#indexOfSum(sum < start ? sum : sum + weight);
  }

  without(excluded: readonly C[]): Candidates<C> {
    return new Candidates(this.members.filter((candidate) => !excluded.includes(candidate)));
  }

  #indexOfSum(sum: number): number {
    const sums = this.#sums ?? [];
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? 0) > sum) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
