// A TCP proxy that does to its connections what bad networks do.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../src/core/address.ts';

export type NetworkFault =
  | { readonly kind: 'none' }
  /** Every chunk arrives that much later, in both directions. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Every connection is reset, open ones at once and new ones as soon as they are made. */
  | { readonly kind: 'reset' }
  /**
   * Nothing passes and nothing ends. Connections that were open or made meanwhile stay silent for ever, like those whose
   * peer was unplugged; later ones work.
   */
  | { readonly kind: 'blackHole' }
  /** Bytes pass one by one, with a pause between. */
  | { readonly kind: 'drip'; readonly everyMs: number };

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  silent: boolean;
}

export class FaultProxy {
  readonly #target: Address;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #closing = new AbortController();
  #fault: NetworkFault = { kind: 'none' };

  private constructor(target: Address, server: Server) {
    this.#target = target;
    this.#server = server;
  }

  static async start(target: Address): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new FaultProxy(target, server);
    server.on('connection', (client) => proxy.#accept(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get address(): Address {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Connections that are open between client and proxy. */
  get connections(): number {
    return this.#pairs.size;
  }

  set(fault: NetworkFault): void {
    this.#fault = fault;
    for (const pair of this.#pairs) {
      if (fault.kind === 'reset') this.#reset(pair);
      if (fault.kind === 'blackHole') pair.silent = true;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const pair of this.#pairs) this.#reset(pair);
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const target = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = { client, target, silent: this.#fault.kind === 'blackHole' };
    this.#pairs.add(pair);
    for (const socket of [client, target]) socket.on('error', () => this.#reset(pair));
    client.on('close', () => this.#reset(pair));
    if (this.#fault.kind === 'reset') {
      this.#reset(pair);
      return;
    }
    void this.#pump(pair, client, target);
    void this.#pump(pair, target, client);
  }

  async #pump(pair: Pair, from: Socket, to: Socket): Promise<void> {
    try {
      // An end of one direction must not end the other one.
      const chunks = from.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) await this.#pass(pair, chunk as Buffer, to);
      if (!pair.silent) to.end();
    } catch {
      this.#reset(pair);
    }
  }

  async #pass(pair: Pair, chunk: Buffer, to: Socket): Promise<void> {
    const fault = this.#fault;
    const parts = fault.kind === 'drip' ? [...chunk].map((byte) => Buffer.of(byte)) : [chunk];
    for (const part of parts) {
      if (fault.kind === 'delay') await this.#pause(fault.delayMs);
      if (fault.kind === 'drip') await this.#pause(fault.everyMs);
      if (!pair.silent && !to.write(part))
        await once(to, 'drain', { signal: this.#closing.signal });
    }
  }

  async #pause(delayMs: number): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#closing.signal });
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.target]) {
      // A reset of a socket that has been shut down fails and leaves it open for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}
