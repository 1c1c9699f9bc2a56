// The driver's one session: opened at first use, and carried on over connections to any of the servers.
import { formatAddress, type Address } from '../../../core/address.ts';
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import { between, type Random } from '../../../core/random.ts';
import { openLink, type Link } from './link.ts';
import type { ZooKeeperLocation } from './location.ts';
import { noSession, type SessionTicket } from './protocol/connection.ts';

interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type State =
  /** Until `retryAtMs` every use fails with `failure`, so that many callers do not make many attempts. */
  | { readonly kind: 'idle'; readonly retryAtMs: number; readonly failure?: RegistryError }
  | { readonly kind: 'opening'; readonly link: Promise<Link>; readonly abort: AbortController }
  /** The connection may have ended meanwhile. */
  | { readonly kind: 'open'; readonly link: Link }
  | { readonly kind: 'closed'; readonly done: Promise<void> };

/** Pause after a failed round; different for each agent, so that servers that return are not met by all at once. */
const retryPauseMs = { low: 50, high: 500 };
/** For one round over all servers, and the least for one of them. */
const roundMs = 2000;
const serverMinMs = 300;

/** Every operation fails with a RegistryError. */
export class Session {
  readonly #deps: SessionDeps;
  readonly #location: ZooKeeperLocation;
  /** In the order of trying; those that failed are at the end. */
  #servers: readonly Address[] = [];
  #ticket: SessionTicket = noSession;
  #state: State = { kind: 'idle', retryAtMs: -Infinity };

  constructor(deps: SessionDeps, location: ZooKeeperLocation) {
    this.#deps = deps;
    this.#location = location;
  }

  /**
   * Works on the connection, after making it if there is none. When the signal aborts the caller's wait ends; if the server
   * has not been heard in all that time, the connection may be half open and is given up.
   */
  async use<T>(work: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    const link = await untilAborted(this.#link(), signal);
    const startedAtMs = this.#deps.clock.nowMs();
    try {
      return await untilAborted(work(link), signal);
    } catch (error) {
      const silent = link.connection.heardAtMs <= startedAtMs;
      if (silent && error instanceof RegistryError && error.code === 'registry_timeout') {
        link.connection.end(error);
      }
      throw error;
    }
  }

  /** Ends the session at the server, and all its nodes with it. Idempotent. */
  close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'closed') return state.done;
    const done = finish(state);
    this.#state = { kind: 'closed', done };
    return done;
  }

  #link(): Promise<Link> {
    const state = this.#state;
    switch (state.kind) {
      case 'open':
        return state.link.connection.ended ? this.#open() : Promise.resolve(state.link);
      case 'opening':
        return state.link;
      case 'closed':
        return Promise.reject(closedError());
      case 'idle':
        return state.failure !== undefined && this.#deps.clock.nowMs() < state.retryAtMs
          ? Promise.reject(state.failure)
          : this.#open();
    }
  }

  #open(): Promise<Link> {
    const abort = new AbortController();
    const link = this.#tryServers(abort.signal);
    this.#state = { kind: 'opening', link, abort };
    return link;
  }

  async #tryServers(closing: AbortSignal): Promise<Link> {
    const { clock, random } = this.#deps;
    if (this.#servers.length === 0) this.#servers = shuffled(this.#location.servers, random);
    const timeoutMs = Math.max(serverMinMs, roundMs / this.#servers.length);
    let failure = closedError();
    for (const server of this.#servers) {
      try {
        const link = await this.#tryServer(server, timeoutMs, closing);
        this.#become({ kind: 'open', link });
        return link;
      } catch (error) {
        if (closing.aborted || !(error instanceof RegistryError)) throw error;
        failure = error;
        this.#servers = [...this.#servers.filter((other) => other !== server), server];
      }
    }
    const pauseMs = between(random, retryPauseMs.low, retryPauseMs.high);
    this.#become({ kind: 'idle', retryAtMs: clock.nowMs() + pauseMs, failure });
    throw failure;
  }

  #become(state: State): void {
    if (this.#state.kind !== 'closed') this.#state = state;
  }

  async #tryServer(server: Address, timeoutMs: number, closing: AbortSignal): Promise<Link> {
    const where = `zookeeper: ${formatAddress(server)}`;
    const ending = new AbortController();
    const timer = this.#deps.clock.after(timeoutMs, () => {
      ending.abort(new RegistryError('registry_timeout', `${where}: no connection in time`));
    });
    const onClosing = (): void => ending.abort(closedError());
    closing.addEventListener('abort', onClosing);
    try {
      const resumed = await openLink(this.#openDeps(), server, this.#ticket, ending.signal);
      if (resumed !== 'expired') return this.#keep(resumed);
      this.#ticket = noSession;
      const fresh = await openLink(this.#openDeps(), server, this.#ticket, ending.signal);
      if (fresh !== 'expired') return this.#keep(fresh);
      throw new RegistryError('registry_unavailable', `${where}: opens no session`);
    } finally {
      timer.cancel();
      closing.removeEventListener('abort', onClosing);
    }
  }

  #openDeps(): Parameters<typeof openLink>[0] {
    return { clock: this.#deps.clock, location: this.#location };
  }

  #keep(link: Link): Link {
    const { ttlMs } = this.#location;
    if (this.#ticket.id === 0n && Math.abs(link.timeoutMs - ttlMs) >= 1) {
      const fields = { askedMs: ttlMs, grantedMs: link.timeoutMs };
      this.#deps.logger.warn(fields, 'ZooKeeper grants another session timeout');
    }
    this.#ticket = link.ticket;
    return link;
  }
}

async function finish(state: Exclude<State, { kind: 'closed' }>): Promise<void> {
  if (state.kind === 'open') await state.link.connection.closeSession();
  if (state.kind !== 'opening') return;
  state.abort.abort();
  const link = await state.link.catch(() => undefined);
  await link?.connection.closeSession();
}

/** Settles like `work`, or rejects as soon as the signal aborts; what `work` does later is of no interest then. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

function abortError(cause: unknown): RegistryError {
  if (cause instanceof RegistryError) return cause;
  return cause instanceof Error && cause.name === 'TimeoutError'
    ? new RegistryError('registry_timeout', 'zookeeper: no answer in time', { cause })
    : new RegistryError('registry_unreachable', 'zookeeper: cancelled', { cause });
}

/** Spreads the agents of a fleet over the servers. */
function shuffled(servers: readonly Address[], random: Random): readonly Address[] {
  const left = [...servers];
  const order: Address[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}

function closedError(): RegistryError {
  return new RegistryError('registry_unreachable', 'zookeeper: the driver is closed');
}
