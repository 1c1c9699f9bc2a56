// Opens TCP connections to instances, and says exactly why one could not be opened.
import { Socket } from 'node:net';
import { systemCodeOf } from '../core/errors.ts';
import type { Address } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { FailureKind } from './exchange.ts';
import { isLoopback } from './routing/names.ts';

export interface DialDeps {
  readonly clock: Clock;
  /** Ports of this host that are the agent's own: the proxy's and the admin API's. Nothing is ever connected to them. */
  readonly isReservedPort: (port: number) => boolean;
}

export interface DialTarget {
  readonly address: Address;
  readonly timeoutMs: number;
}

export interface DialEvents<S extends Socket = GatedSocket> {
  /** The socket is the callee's now, and has an error listener that ignores errors. */
  connected(socket: S): void;
  failed(kind: FailureKind, cause: string): void;
}

/** Connects. Returns how to give up, after which neither event is called. The socket that `connected` gets is paused. */
export function dial(deps: DialDeps, target: DialTarget, events: DialEvents): () => void {
  return dialWith(new GatedSocket(), deps, target, events);
}

/** Connects a socket of the caller's. */
export function dialWith<S extends Socket>(
  socket: S,
  deps: DialDeps,
  target: DialTarget,
  events: DialEvents<S>,
): () => void {
  const stop = (): void => {
    timer.cancel();
    socket.off('connect', onConnect).off('error', onError);
  };
  const fail = (kind: FailureKind, cause: string): void => {
    stop();
    socket.destroy();
    events.failed(kind, cause);
  };
  const onConnect = (): void => {
    if (leadsToAgent(socket, deps)) {
      fail('connect_failed', 'the address is the agent itself');
      return;
    }
    stop();
    events.connected(socket);
  };
  const onError = (error: Error): void => {
    const code = systemCodeOf(error) ?? error.message;
    fail(kindOf(code), code);
  };
  const timer = deps.clock.after(target.timeoutMs, () => {
    fail('connect_timeout', `no connection within ${target.timeoutMs} ms`);
  });
  socket.on('connect', onConnect).on('error', onError);
  // A socket may report an error after it was given up.
  socket.on('error', () => undefined);
  socket.connect({ ...target.address, noDelay: true, keepAlive: true });
  return () => {
    stop();
    socket.destroy();
  };
}

/**
 * A socket whose reader can be held back from outside. undici 7 has a pause of its own, but its parser ends the process
 * (an assertion outside of every handler) when the origin closes while it is paused; behind the gate it is never paused.
 */
export class GatedSocket extends Socket {
  #held = false;

  constructor() {
    super({ allowHalfOpen: true, readableHighWaterMark: 65_536 } as ConstructorParameters<
      typeof Socket
    >[0]);
  }

  /** Reads return nothing until `release`. What the reader took before is its own. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.destroyed) this.emit('readable');
  }

  override read(size?: number): unknown {
    // A read of 0 bytes only fills the buffer.
    return this.#held && size !== 0 ? null : super.read(size);
  }
}

function leadsToAgent(socket: Socket, { isReservedPort }: DialDeps): boolean {
  const { remoteAddress = '', remotePort = 0, localAddress } = socket;
  const isOwnHost = remoteAddress === localAddress || isLoopback(remoteAddress);
  return isOwnHost && isReservedPort(remotePort);
}

function kindOf(code: string): FailureKind {
  if (code === 'ECONNREFUSED') return 'refused';
  return code === 'ETIMEDOUT' ? 'connect_timeout' : 'connect_failed';
}
