// An answer without records may be a server's start or a mistake on the way: it takes two in a row to empty a service.
import type { Clock } from '../../../core/clock.ts';
import type { Reading } from '../../driver.ts';

interface Known {
  readonly reading: Reading;
  readonly atMs: number;
  /** One answer since then was empty. */
  readonly isDoubted: boolean;
}

/** Services that are remembered: as many as an agent follows. */
const servicesMax = 1000;

export class EmptyAnswers {
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #known = new Map<string, Known>();

  /** `rememberMs`: a list older than this is no longer put in the place of an empty one. */
  constructor(clock: Clock, rememberMs: number) {
    this.#clock = clock;
    this.#rememberMs = rememberMs;
  }

  /** What to believe: the reading itself, or the one before it when this is the first empty one after that. */
  believed(service: string, reading: Reading): Reading {
    const nowMs = this.#clock.nowMs();
    const known = this.#known.get(service);
    this.#known.delete(service);
    if (reading.instances.length > 0) {
      this.#known.set(service, { reading, atMs: nowMs, isDoubted: false });
      for (const oldest of this.#known.keys()) {
        if (this.#known.size <= servicesMax) break;
        this.#known.delete(oldest);
      }
      return reading;
    }
    if (known === undefined || known.isDoubted || nowMs - known.atMs > this.#rememberMs)
      return reading;
    this.#known.set(service, { ...known, isDoubted: true });
    return known.reading;
  }
}
