// What all calls of the fast lane share.
import type { Clock } from '../../../core/clock.ts';
import type { Random } from '../../../core/random.ts';
import type { Intake } from '../../intake.ts';
import type { InstancePools } from './instance-pools.ts';

export interface LaneDeps {
  readonly intake: Intake;
  readonly pools: InstancePools;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether replies must say that their connection takes no further request. */
  readonly isDraining: () => boolean;
}
