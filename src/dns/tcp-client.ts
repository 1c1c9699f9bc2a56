// One client of the DNS server over TCP: its queries are answered one after another (RFC 1035 §4.2.2, RFC 7766).
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../core/clock.ts';

interface TcpClientDeps {
  readonly socket: Socket;
  readonly clock: Clock;
  /** Undefined for what deserves no answer; must not reject. */
  readonly respond: (query: Buffer) => Promise<Buffer | undefined>;
}

/** From one answer to the next, whether the client asks nothing, too slowly, or does not read. */
const patienceMs = 10_000;

export class TcpClient {
  readonly #deps: TcpClientDeps;
  #received = Buffer.alloc(0);
  #answering = false;
  #patience: Timer | undefined;

  constructor(deps: TcpClientDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { socket } = this.#deps;
    socket.on('error', () => undefined);
    socket.on('close', () => this.#patience?.cancel());
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      void this.#answerAll();
    });
    this.#renewPatience();
  }

  /** While it answers nothing more is read, and nothing more is answered before the client has taken the last answer. */
  async #answerAll(): Promise<void> {
    const { socket, respond } = this.#deps;
    if (this.#answering) return;
    this.#answering = true;
    socket.pause();
    for (let query = this.#take(); query !== undefined; query = this.#take()) {
      const response = await respond(query);
      if (response === undefined) socket.destroy();
      if (response === undefined || this.#isGone()) return;
      if (!socket.write(framed(response))) await drained(socket);
      if (this.#isGone()) return;
      this.#renewPatience();
      // A client with many queries must not keep the others waiting, nor the calls that the proxy carries.
      await nextTurn();
    }
    this.#answering = false;
    socket.resume();
  }

  #isGone(): boolean {
    return this.#deps.socket.destroyed;
  }

  #take(): Buffer | undefined {
    const received = this.#received;
    if (received.length < 2) return undefined;
    const end = 2 + received.readUInt16BE(0);
    if (received.length < end) return undefined;
    this.#received = received.subarray(end);
    return received.subarray(2, end);
  }

  #renewPatience(): void {
    const { socket, clock } = this.#deps;
    this.#patience?.cancel();
    this.#patience = clock.after(patienceMs, () => socket.destroy());
  }
}

function framed(response: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(response.length);
  return Buffer.concat([length, response]);
}

/** Resolves when the client has taken what was written, or is gone. */
async function drained(socket: Socket): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  try {
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]);
  } catch {
    // The connection broke, which closes it.
  } finally {
    done.abort();
  }
}
