// A Listener: one port or unix socket that apps connect to, and the connections on it.
import { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Address } from '../core/address.ts';
import type { Component } from '../core/component.ts';
import { listenOn, type ListenPlace } from './listening.ts';

export interface ListenerOptions {
  readonly on: ListenPlace;
  /** The flag that asked for it, for errors. */
  readonly origin: string;
  /** No further connection may be taken now. */
  readonly isFull: () => boolean;
}

type Phase = 'new' | 'listening' | 'draining' | 'closed';

export class Listener implements Component {
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #sockets = new Set<Socket>();
  #phase: Phase = 'new';
  #emptied: Promise<void> | undefined;

  /** The server's events are its maker's; its connections are the listener's to end. */
  constructor(server: Server, options: ListenerOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** Where it listens; undefined on a unix socket and before the start. */
  get address(): Address | undefined {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return undefined;
    const { address: host, port }: AddressInfo = address;
    return { host, port };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    if (this.#phase !== 'new') return;
    this.#server.on('connection', (socket) => {
      this.#own(socket);
    });
    await listenOn(this.#server, this.#options.on, this.#options.origin);
    this.#phase = 'listening';
    // Accepting may fail (no file descriptors left); the server goes on by itself.
    this.#server.on('error', () => undefined);
  }

  /** Takes no new connection. Resolves when every old one has ended, which is their carriers' work. */
  drain(): Promise<void> {
    if (this.#phase === 'new' || this.#phase === 'closed') return Promise.resolve();
    this.#phase = 'draining';
    this.#endIdle();
    this.#emptied ??= new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    return this.#emptied;
  }

  async close(): Promise<void> {
    const emptied = this.drain();
    this.#phase = 'closed';
    for (const socket of [...this.#sockets]) socket.destroy();
    await emptied;
  }

  /** Node ends those that wait for a next request; the others that wait are ended here. */
  #endIdle(): void {
    if (!(this.#server instanceof HttpServer)) return;
    // One whose last reply promised to keep it open ends all the same when that reply has ended.
    this.#server.keepAliveTimeout = 1;
    // One that has sent nothing counts as busy with its first request.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  #own(socket: Socket): void {
    // A connection that goes back to the server's beginning (see resubmit.ts) comes here twice.
    if (this.#sockets.has(socket)) return;
    socket.on('error', () => undefined);
    if (this.#options.isFull()) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
