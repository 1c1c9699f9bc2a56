// The fast lane's connections to one endpoint: idle ones are reused, the latest first; new ones are opened as needed.
import type { Clock } from '../../../core/clock.ts';
import type { Connections, Endpoint } from '../../../upstream/endpoint.ts';
import type { UpstreamPolicy } from '../../../upstream/policy.ts';
import { dialWith } from '../../dial.ts';
import type { FailureKind } from '../../exchange.ts';
import { InstanceConnection } from './instance-connection.ts';
import type { PoolDeps } from './lane-deps.ts';

export interface PoolEvents {
  connected(connection: InstanceConnection): void;
  failed(kind: FailureKind, cause: string): void;
}

/** The instance's `Keep-Alive: timeout=` is undercut by this much, for the request may be on its way when it runs out. */
const keepAliveMarginMs = 1000;

export class InstancePool implements Connections {
  readonly #deps: PoolDeps;
  readonly #clock: Clock;
  readonly #endpoint: Endpoint;
  readonly #policy: UpstreamPolicy;
  readonly #idle: InstanceConnection[] = [];
  readonly #all = new Set<InstanceConnection>();
  #phase: 'open' | 'retired' = 'open';

  constructor(deps: PoolDeps, endpoint: Endpoint, policy: UpstreamPolicy) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#endpoint = endpoint;
    this.#policy = policy;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** An idle connection, which may have been closed by the instance just now. */
  takeIdle(nowMs: number): InstanceConnection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (connection.usable && !this.#isTooOld(connection, nowMs)) return connection;
      connection.destroy();
    }
    return undefined;
  }

  /** Opens a connection. Returns how to give up. */
  connect(events: PoolEvents): () => void {
    const { instance } = this.#endpoint;
    const address = { host: instance.host, port: instance.port };
    const connection = new InstanceConnection(this.#deps);
    return dialWith(
      connection.socket,
      this.#deps,
      { address, timeoutMs: this.#policy.connectTimeoutMs },
      {
        connected: () => {
          this.#all.add(connection);
          connection.onClose(() => this.#forget(connection));
          events.connected(connection);
        },
        failed: (kind, cause) => events.failed(kind, cause),
      },
    );
  }

  /** The connection's request and reply have both ended: it may carry another. */
  giveBack(connection: InstanceConnection): void {
    if (this.#phase === 'retired' || !connection.reusable) {
      connection.destroy();
      return;
    }
    connection.reused = true;
    connection.idleSinceMs = this.#clock.nowMs();
    this.#idle.push(connection);
  }

  /** Ends connections that have been idle for too long. */
  sweep(nowMs: number): void {
    // The longest idle ones come first.
    for (let first = this.#idle[0]; first !== undefined; first = this.#idle[0]) {
      if (!this.#isTooOld(first, nowMs)) return;
      this.#idle.shift();
      first.destroy();
    }
  }

  retire(): void {
    this.#phase = 'retired';
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Ends every connection now, also those that carry a request. */
  close(): void {
    this.retire();
    for (const connection of [...this.#all]) connection.destroy();
  }

  #isTooOld(connection: InstanceConnection, nowMs: number): boolean {
    const hintMs = connection.keepAliveMs - keepAliveMarginMs;
    return nowMs - connection.idleSinceMs >= Math.min(this.#policy.idleTimeoutMs, hintMs);
  }

  #forget(connection: InstanceConnection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }
}
