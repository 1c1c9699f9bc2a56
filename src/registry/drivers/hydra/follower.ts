// Follows one service: hears the messages of other agents at once, and looks at Redis about once a second for Hydra's own.
import { between, type Random } from '../../../core/random.ts';
import type { RegistryError } from '../../../core/errors.ts';
import type { FollowSink, Reading } from '../../driver.ts';
import type { ChannelListener, Subscriptions } from '../redis/subscriptions.ts';
import type { Commands } from './commands.ts';
import type { Members } from './fleet.ts';
import { look, type LookDeps } from './look.ts';
import { ServiceList } from './service-list.ts';

export interface FollowerDeps extends LookDeps {
  readonly random: Random;
  readonly commands: Commands;
  readonly subscriptions: Subscriptions;
  readonly sink: FollowSink;
  /** A version that no other list has. */
  readonly nextVersion: () => string;
}

export interface FollowerOptions {
  readonly service: string;
  readonly channel: string;
  readonly from: Reading;
  /** Between looks. */
  readonly pollMs: number;
}

/** Spreads the looks of many agents that heard of a change whose content they cannot use. */
const spreadMs = { low: 20, high: 300 };

/** Until every agent has found that Redis is back. */
const recoveryMs = 1000;

export class Follower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowerOptions;
  readonly #list: ServiceList;
  #members: Members | undefined;
  #nodes = 0;
  #lookAtMs = -Infinity;
  #lost: RegistryError | undefined;
  #wake: (() => void) | undefined;

  constructor(deps: FollowerDeps, options: FollowerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#list = new ServiceList(options.service, options.from.instances, deps.clock.nowMs());
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
    const { clock, random, sink, nextVersion } = this.#deps;
    switch (this.#list.hear(message, clock.nowMs())) {
      case 'changed':
        sink.changed(this.#list.reading(nextVersion()));
        return;
      case 'gap': {
        const soonMs = clock.nowMs() + between(random, spreadMs.low, spreadMs.high);
        this.#lookAtMs = Math.min(this.#lookAtMs, soonMs);
        this.#wake?.();
        return;
      }
      case 'same':
        return;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, random, sink, nextVersion } = this.#deps;
    this.#lookAtMs = clock.nowMs() + this.#options.pollMs * between(random, 0.9, 1.1);
    const { changed, members, nodes } = await look(this.#deps, this.#list, this.#members, signal);
    if (signal.aborted) return;
    const reset = this.#isDoubtful(nodes);
    this.#members = members;
    this.#nodes = nodes;
    if (!changed) {
      sink.confirmed();
      return;
    }
    const reading = this.#list.reading(nextVersion());
    sink.changed(reset ? { ...reading, reset } : reading);
  }

  /**
   * Whether absence proves nothing: half of the fleet's records are gone, as when the database was emptied, or leases end that
   * could not be renewed while Redis was away.
   */
  #isDoubtful(nodes: number): boolean {
    const { clock, commands, leaseMs } = this.#deps;
    return nodes < this.#nodes / 2 || clock.nowMs() - commands.troubleAtMs < leaseMs + recoveryMs;
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
