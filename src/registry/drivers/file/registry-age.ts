// How old the directory is: what a young one does not list may have been lost with the one before it.
import { stat } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { unlessMissing } from './failure.ts';
import type { Layout } from './layout.ts';
import type { ServerTime } from './server-time.ts';

interface RegistryAgeDeps {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly serverTime: ServerTime;
}

export class RegistryAge {
  readonly #deps: RegistryAgeDeps;
  readonly #ttlMs: number;
  #createdMs: number | undefined;
  #youngUntilMs = -Infinity;

  constructor(deps: RegistryAgeDeps, ttlMs: number) {
    this.#deps = deps;
    this.#ttlMs = ttlMs;
  }

  /** Looks at the directory, and makes it again when it was removed. */
  async look(): Promise<void> {
    const { clock, layout, serverTime } = this.#deps;
    await layout.prepare();
    let created = await unlessMissing(stat(layout.created));
    if (created === undefined) {
      await layout.ensure();
      created = await stat(layout.created);
    }
    if (created.mtimeMs === this.#createdMs) return;
    const ageMs = Math.max(0, (await serverTime.nowMs()) - created.mtimeMs);
    this.#youngUntilMs = clock.nowMs() + this.#ttlMs - ageMs;
    this.#createdMs = created.mtimeMs;
  }

  /** Whether the directory, at the last look, was made less than one lease time ago. */
  isYoung(): boolean {
    return this.#deps.clock.nowMs() < this.#youngUntilMs;
  }

  /** Monotonic time when it stops being young. */
  youngUntilMs(): number {
    return this.#youngUntilMs;
  }
}
