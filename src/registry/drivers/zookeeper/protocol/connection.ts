// One connection to one server, from the greeting that opens or resumes a session to its end.
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../../../core/clock.ts';
import { messageOf, RegistryError } from '../../../../core/errors.ts';
import { failureOf, operations, replyCodes, xids } from './codes.ts';
import { FrameSplitter } from './frames.ts';
import { JuteReader, JuteWriter } from './jute.ts';

/** What a client shows to resume its session at any server. */
export interface SessionTicket {
  readonly id: bigint;
  readonly password: Buffer;
}

export const noSession: SessionTicket = { id: 0n, password: Buffer.alloc(16) };

export interface Greeting {
  readonly ticket: SessionTicket;
  /** The session timeout that the server grants. */
  readonly timeoutMs: number;
}

export interface Reply {
  /** One of the server's codes, 0 for success. */
  readonly code: number;
  readonly body: JuteReader;
}

export interface ConnectionEvents {
  /** A watch was triggered, and is gone with it. */
  event(type: number, path: string): void;
  /** Called once for the end of a connection that had been greeted, whatever ended it. */
  lost(error: RegistryError): void;
}

interface ConnectionDeps {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly events: ConnectionEvents;
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: RegistryError): void;
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'greeting'; readonly waiter: Waiter<Greeting | 'expired'> }
  | { readonly kind: 'open'; readonly pingEveryMs: number }
  | { readonly kind: 'ended'; readonly error: RegistryError };

/** Pings in a session timeout, of which the server must hear one. */
const pingsPerTimeout = 3;
/** For the polite end of the session; the server ends it by itself when it hears nothing. */
const farewellMs = 300;
const xidMax = 0x7fff_fffe;

export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #splitter = new FrameSplitter();
  readonly #waiting = new Map<number, Waiter<Reply>>();
  readonly #ended: Promise<void>;
  #markEnded: () => void = () => undefined;
  #state: State = { kind: 'new' };
  #xid = 0;
  #heardAtMs: number;
  #pingTimer: Timer | undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#heardAtMs = deps.clock.nowMs();
    this.#ended = new Promise((resolve) => (this.#markEnded = resolve));
  }

  /** When the server was heard last: monotonic milliseconds. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  get ended(): boolean {
    return this.#state.kind === 'ended';
  }

  /**
   * Opens a session, or resumes that of the ticket. `expired`: the server knows no such session; the connection has ended.
   * The last change that we saw is not sent: a server that lost its data would turn us away for ever.
   */
  greet(ticket: SessionTicket, timeoutMs: number): Promise<Greeting | 'expired'> {
    const { socket } = this.#deps;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.end(unreachable(messageOf(error))));
    socket.on('close', () => this.end(unreachable('the server closed the connection')));
    return new Promise((resolve, reject) => {
      this.#state = { kind: 'greeting', waiter: { resolve, reject } };
      const message = new JuteWriter().int(0).long(0n).int(Math.round(timeoutMs));
      socket.write(message.long(ticket.id).bytes(ticket.password).bool(false).frame());
    });
  }

  /** Adds an identity of the digest scheme. Its password is not checked but by the ACLs of nodes. */
  async authenticate(user: string, password: string): Promise<void> {
    const { code } = await this.#send(xids.auth, operations.auth, (message) =>
      message.int(0).text('digest').text(`${user}:${password}`),
    );
    if (code !== replyCodes.ok) throw failureOf(code, 'authentication');
  }

  /** Sends one request; the server answers in the order of sending. Rejects when the connection ends. Has no deadline. */
  request(operation: number, write: (message: JuteWriter) => JuteWriter): Promise<Reply> {
    this.#xid = this.#xid >= xidMax ? 1 : this.#xid + 1;
    return this.#send(this.#xid, operation, write);
  }

  /** Ends the session, and with it its ephemeral nodes, if the server answers soon. Resolves when the socket is closed. */
  async closeSession(): Promise<void> {
    if (this.#state.kind === 'open') {
      const timer = this.#deps.clock.after(farewellMs, () => this.end(unreachable('closed')));
      await this.request(operations.closeSession, (message) => message).catch(() => undefined);
      timer.cancel();
    }
    this.end(unreachable('closed'));
    await this.#ended;
  }

  /** Gives the connection up; whatever waits for an answer fails with the error. The session may live on. */
  end(error: RegistryError): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    this.#state = { kind: 'ended', error };
    this.#pingTimer?.cancel();
    const { socket, events } = this.#deps;
    if (socket.closed) this.#markEnded();
    else socket.once('close', this.#markEnded);
    socket.destroy();
    if (state.kind === 'greeting') state.waiter.reject(error);
    const waiters = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.reject(error);
    if (state.kind === 'open') events.lost(error);
  }

  #send(
    xid: number,
    operation: number,
    write: (message: JuteWriter) => JuteWriter,
  ): Promise<Reply> {
    const state = this.#state;
    if (state.kind !== 'open') {
      return Promise.reject(state.kind === 'ended' ? state.error : unreachable('not connected'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.set(xid, { resolve, reject });
      this.#deps.socket.write(write(new JuteWriter().int(xid).int(operation)).frame());
    });
  }

  #receive(chunk: Buffer): void {
    this.#heardAtMs = this.#deps.clock.nowMs();
    try {
      for (const frame of this.#splitter.push(chunk)) this.#take(new JuteReader(frame));
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.end(error);
    }
  }

  #take(message: JuteReader): void {
    const state = this.#state;
    if (state.kind === 'greeting') this.#takeGreeting(message, state.waiter);
    if (state.kind !== 'open') return;
    const xid = message.int();
    message.long();
    const code = message.int();
    if (xid === xids.event) {
      const type = message.int();
      message.int();
      this.#deps.events.event(type, message.text());
      return;
    }
    const waiter = this.#waiting.get(xid);
    this.#waiting.delete(xid);
    waiter?.resolve({ code, body: message });
  }

  #takeGreeting(message: JuteReader, waiter: Waiter<Greeting | 'expired'>): void {
    message.int();
    const timeoutMs = message.int();
    const ticket = { id: message.long(), password: Buffer.from(message.bytes()) };
    if (timeoutMs <= 0) {
      waiter.resolve('expired');
      this.end(unreachable('session expired'));
      return;
    }
    this.#state = { kind: 'open', pingEveryMs: timeoutMs / pingsPerTimeout };
    this.#pingLater(timeoutMs / pingsPerTimeout);
    waiter.resolve({ ticket, timeoutMs });
  }

  /** A peer that vanished without a word would never be noticed by the socket; and the server needs to hear of us. */
  #pingLater(everyMs: number): void {
    const { clock } = this.#deps;
    this.#pingTimer = clock.after(everyMs, () => {
      if (this.#waiting.has(xids.ping) && clock.nowMs() - this.#heardAtMs >= everyMs) {
        this.end(new RegistryError('registry_timeout', 'zookeeper: the server is silent'));
        return;
      }
      // The end of the connection is told to those who need it.
      this.#send(xids.ping, operations.ping, (message) => message).catch(() => undefined);
      this.#pingLater(everyMs);
    });
  }
}

function unreachable(what: string): RegistryError {
  return new RegistryError('registry_unreachable', `zookeeper: ${what}`);
}
