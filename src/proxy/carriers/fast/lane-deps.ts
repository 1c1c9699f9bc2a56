// What the calls and the connections of the fast lane share.
import type { Clock } from '../../../core/clock.ts';
import type { Random } from '../../../core/random.ts';
import type { DialDeps } from '../../dial.ts';
import type { Intake } from '../../intake.ts';
import type { InstancePools } from './instance-pools.ts';
import type { ReadBuffers } from './read-buffer.ts';
import type { ReplyReader } from './reply-head.ts';
import type { RequestReader } from './request-head.ts';
import type { TurnWrites } from './turn-writes.ts';

export interface LaneDeps {
  readonly intake: Intake;
  readonly pools: InstancePools;
  readonly requests: RequestReader;
  readonly turnWrites: TurnWrites;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether replies must say that their connection takes no further request. */
  readonly isDraining: () => boolean;
}

export interface PoolDeps extends DialDeps {
  readonly replies: ReplyReader;
  readonly turnWrites: TurnWrites;
  readonly readBuffers: ReadBuffers;
}
