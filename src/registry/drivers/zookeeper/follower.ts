// Follows one service over one connection: refreshes its view after events, and tells what came of it.
import type { Clock } from '../../../core/clock.ts';
import { between, type Random } from '../../../core/random.ts';
import type { FollowSink, Reading } from '../../driver.ts';
import type { Connection } from './protocol/connection.ts';
import type { ServiceView } from './service-view.ts';

interface FollowerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: Connection;
  readonly view: ServiceView;
  readonly sink: FollowSink;
  /** Adds to a reading what only the driver knows. */
  readonly complete: (reading: Reading) => Reading;
}

interface FollowerOptions {
  /** Of the reading that is known. */
  readonly version: string;
  readonly confirmEveryMs: number;
}

/**
 * After a refresh, events are gathered for so long: every agent of a fleet hears of every change of a service, and reads
 * the list for it. The first event after a quiet time is acted upon at once.
 */
const gatherMs = { low: 10, high: 40 };

export class Follower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowerOptions;
  #version: string;
  #confirmedAtMs = -Infinity;
  #wake: (() => void) | undefined;

  constructor(deps: FollowerDeps, options: FollowerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#version = options.version;
  }

  /** Resolves when the signal aborts; rejects when the connection is lost. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, view } = this.#deps;
    const wake = (): void => this.#wake?.();
    const unlisten = view.onChange(wake);
    signal.addEventListener('abort', wake);
    try {
      this.#deliver(signal);
      while (!signal.aborted) {
        if (view.failure !== undefined) throw view.failure;
        if (view.stale) {
          await view.refresh({ list: false });
          this.#deliver(signal);
          const pauseMs = between(random, gatherMs.low, gatherMs.high);
          await clock.sleep(pauseMs, signal).catch(() => undefined);
        } else {
          await this.#rest();
          this.#confirm(signal);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      unlisten();
      signal.removeEventListener('abort', wake);
    }
  }

  #deliver(signal: AbortSignal): void {
    const { view, sink, complete } = this.#deps;
    if (signal.aborted || view.stale || view.failure !== undefined) return;
    const reading = view.reading();
    if (reading.version === this.#version) return;
    this.#version = reading.version;
    sink.changed(complete(reading));
  }

  /** Events come before any later answer, so a server that was heard meanwhile has told us everything. */
  #confirm(signal: AbortSignal): void {
    const { connection, view, sink } = this.#deps;
    const heardAtMs = connection.heardAtMs;
    if (signal.aborted || view.stale || heardAtMs <= this.#confirmedAtMs) return;
    if (view.failure !== undefined) return;
    this.#confirmedAtMs = heardAtMs;
    sink.confirmed();
  }

  /** Resolves at the next event, loss or abort, or when it is time to confirm. */
  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#deps.clock.after(this.#options.confirmEveryMs, wake);
      this.#wake = wake;
    });
  }
}
