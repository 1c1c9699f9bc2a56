// The fast lane: where every client connection of a listener begins, and which it leaves with the first request in doubt.
import type { Socket } from 'node:net';
import type { Timer } from '../../../core/clock.ts';
import type { DialDeps } from '../../dial.ts';
import { ClientConnection } from './client-connection.ts';
import { InstancePools } from './instance-pools.ts';
import type { LaneDeps } from './lane-deps.ts';
import { ReadBuffers } from './read-buffer.ts';
import { ReplyReader } from './reply-head.ts';
import { RequestReader } from './request-head.ts';
import { TurnWrites } from './turn-writes.ts';

/** How often deadlines are looked at: one timer for all connections, in place of some for each request. */
const sweepMs = 100;

export type FastLaneDeps = Omit<LaneDeps, 'pools' | 'requests' | 'turnWrites'> & DialDeps;

export class FastLane {
  readonly #deps: LaneDeps;
  readonly #connections = new Set<ClientConnection>();
  /** Those that were given away; they never come back. */
  readonly #general = new WeakSet<Socket>();
  #timer: Timer | undefined;

  constructor(deps: FastLaneDeps) {
    const turnWrites = new TurnWrites();
    const pools = new InstancePools({
      ...deps,
      turnWrites,
      replies: new ReplyReader(),
      readBuffers: new ReadBuffers(),
    });
    this.#deps = { ...deps, turnWrites, pools, requests: new RequestReader() };
  }

  /** Serves the connection until it ends or is given to `general`, with the unread bytes put back. */
  take(
    socket: Socket,
    listenerService: string | undefined,
    general: (socket: Socket) => void,
  ): void {
    if (this.#general.has(socket)) {
      general(socket);
      return;
    }
    const connection: ClientConnection = new ClientConnection(
      this.#deps,
      socket,
      { listenerService },
      {
        stepAside: (given, bytes) => {
          this.#connections.delete(connection);
          this.#general.add(given);
          if (bytes !== undefined) given.unshift(bytes);
          general(given);
        },
        closed: () => this.#connections.delete(connection),
      },
    );
    this.#connections.add(connection);
    connection.start();
    this.#timer ??= this.#deps.clock.after(sweepMs, this.#sweep);
  }

  /** Ends the connections that no request is on; the others end with their replies. */
  drain(): void {
    for (const connection of [...this.#connections]) connection.endIfIdle();
  }

  /** Ends the connections to instances. Those of clients are their listeners' to end. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#deps.pools.close();
  }

  readonly #sweep = (): void => {
    const nowMs = this.#deps.clock.nowMs();
    for (const connection of this.#connections) connection.sweep(nowMs);
    this.#deps.pools.sweep(nowMs);
    const isWanted = this.#connections.size > 0 || !this.#deps.pools.isEmpty;
    this.#timer = isWanted ? this.#deps.clock.after(sweepMs, this.#sweep) : undefined;
  };
}
