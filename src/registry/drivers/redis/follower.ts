// Follows one service: applies announced changes, and looks at the version when a lease may have ended unannounced.
import type { Clock } from '../../../core/clock.ts';
import type { RegistryError } from '../../../core/errors.ts';
import { between, type Random } from '../../../core/random.ts';
import type { FollowSink, Reading } from '../../driver.ts';
import { equalVersions, ServiceList, type SnapshotReply, type Version } from './service-list.ts';
import type { ChannelListener, Subscriptions } from './subscriptions.ts';

export interface FollowerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly subscriptions: Subscriptions;
  readonly sink: FollowSink;
  /** Asks the server what has changed since `known`. */
  readonly look: (known: Version, signal: AbortSignal) => Promise<SnapshotReply>;
}

export interface FollowerOptions {
  readonly service: string;
  readonly channel: string;
  readonly from: Reading;
  /** Lease time that is assumed until the server names the service's own. */
  readonly ttlMs: number;
}

/** Spreads the followers of a service, who all notice a gap or an overdue lease at the same time. */
const spreadMs = { low: 20, high: 300 };
/**
 * Looks per lease time, at least. Each one also tells the server that it is reachable, so that silence of half a lease
 * is the sign of an outage.
 */
const looksPerLease = 3;

export class Follower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowerOptions;
  readonly #list: ServiceList;
  #lookAtMs = -Infinity;
  #lost: RegistryError | undefined;
  #wake: (() => void) | undefined;

  constructor(deps: FollowerDeps, options: FollowerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#list = new ServiceList(options.service, options.from);
  }

  /** The version that the sink was given last. */
  get version(): Version {
    return this.#list.version;
  }

  /** Resolves when the signal aborts; rejects when changes may be missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, subscriptions } = this.#deps;
    const { channel } = this.#options;
    const listener: ChannelListener = {
      message: (text) => {
        this.#hear(text);
      },
      lost: (error) => {
        this.#lost = error;
        this.#wake?.();
      },
    };
    try {
      await subscriptions.subscribe(channel, listener, signal);
      while (!signal.aborted) {
        if (this.#lost !== undefined) throw this.#lost;
        const restMs = this.#lookAtMs - clock.nowMs();
        if (restMs > 0) await this.#rest(restMs, signal);
        else await this.#look(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      subscriptions.unsubscribe(channel, listener);
    }
  }

  #hear(message: string): void {
    switch (this.#list.apply(message)) {
      case 'changed':
        this.#deps.sink.changed(this.#list.reading());
        return;
      case 'gap':
        this.#lookAtMs = Math.min(this.#lookAtMs, this.#deps.clock.nowMs() + this.#spread());
        this.#wake?.();
        return;
      case 'old':
        return;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, look, sink } = this.#deps;
    const known = this.#list.version;
    const startedAtMs = clock.nowMs();
    this.#lookAtMs = Infinity;
    const reply = await look(known, signal);
    if (signal.aborted) return;
    // A gap noticed meanwhile may be newer than the reply, so its look stays due.
    this.#lookAtMs = Math.min(this.#lookAtMs, startedAtMs + this.#pauseMs(reply));
    if (reply.list === undefined) {
      sink.confirmed();
      return;
    }
    const overtaken = !equalVersions(this.#list.version, known);
    // Changes that were announced while the question was under way are newer than its answer.
    if (overtaken && !isNewer(reply.version, this.#list)) return;
    sink.changed(this.#list.replace(reply.version, reply.list));
  }

  /** Until the next lease ends, or the next regular look. */
  #pauseMs(reply: SnapshotReply): number {
    const { random } = this.#deps;
    const leaseMs = reply.leaseMs > 0 ? reply.leaseMs : this.#options.ttlMs;
    const regularMs = (leaseMs / looksPerLease) * between(random, 0.9, 1.1);
    return reply.dueMs === undefined
      ? regularMs
      : Math.min(regularMs, reply.dueMs + this.#spread());
  }

  #spread(): number {
    return between(this.#deps.random, spreadMs.low, spreadMs.high);
  }

  /** Resolves when the time is over, the connection is lost, a look becomes due earlier or the signal aborts. */
  #rest(durationMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#deps.clock.after(durationMs, wake);
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }
}

function isNewer(version: Version, list: ServiceList): boolean {
  return !equalVersions(version, list.version) && !list.isNewerThan(version);
}
