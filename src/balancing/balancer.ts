// What a balancing policy does.
import type { Candidate, Candidates } from './candidates.ts';

/** Chooses an instance; keeps no more state than its own position. */
export interface Balancer {
  /** Undefined only when there is no candidate. */
  pick<C extends Candidate>(candidates: Candidates<C>, nowMs: number): C | undefined;
}
