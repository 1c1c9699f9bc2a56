// The DNS server of the agent: answers for services from what the proxy itself would call, over UDP and TCP.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { formatAddress, type Address } from '../core/address.ts';
import type { Component } from '../core/component.ts';
import { decode, type DecodedPacket, type Question } from '../core/dns-packet.ts';
import { ConfigError, messageOf, systemCodeOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import { codes, encodeResponse, recordsOf, soaOf, type Callee, type Response } from './answer.ts';
import { readQuestion } from './question.ts';

/** What the server asks of the agent. */
export interface CalleeSource {
  /**
   * The instances that a call would choose from: healthy ones, or all when none is. `unknown`: the registry has no such
   * service; `unanswered`: it could not be asked in time. `name` may begin with a tag: `v2.payments`.
   */
  callees(
    name: string,
    tag: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly Callee[] | 'unknown' | 'unanswered'>;
}

export interface DnsServerDeps {
  readonly source: CalleeSource;
  readonly random: Random;
  readonly logger: Logger;
}

export interface DnsServerOptions {
  /** Port 0 is any port that is free for both. */
  readonly address: Address;
  /** In lower case, without a dot at its end. */
  readonly domain: string;
}

/** A client waits a few seconds and asks again. */
const answerTimeoutMs = 2000;
/** Queries that wait at the same time; more are dropped, as a network would. */
const pendingMax = 256;
const connectionsMax = 64;
const connectionIdleMs = 10_000;

export class DnsServer implements Component {
  readonly #deps: DnsServerDeps;
  readonly #options: DnsServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #pending = 0;

  constructor(deps: DnsServerDeps, options: DnsServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Where it listens, with the port that was found for port 0; undefined before the start. */
  get address(): Address | undefined {
    const address = this.#tcp?.address();
    return typeof address === 'object' && address !== null
      ? { host: address.address, port: address.port }
      : undefined;
  }

  /** Fails with a ConfigError when it cannot listen. */
  async start(): Promise<void> {
    if (this.#tcp !== undefined) return;
    const { address } = this.#options;
    const tcp = createServer((socket) => this.#accept(socket));
    const udp = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
    tcp.maxConnections = connectionsMax;
    this.#tcp = tcp;
    this.#udp = udp;
    try {
      await listening(tcp, () => tcp.listen(address));
      const { port } = tcp.address() as AddressInfo;
      await listening(udp, () => udp.bind({ port, address: address.host, exclusive: true }));
    } catch (error) {
      await this.close();
      const why = systemCodeOf(error) ?? messageOf(error);
      throw new ConfigError(`--dns ${formatAddress(address)}: ${why}`, { cause: error });
    }
    const warn = (error: Error): void => {
      this.#deps.logger.warn({ cause: error.message }, 'the DNS server has trouble');
    };
    tcp.on('error', warn);
    udp.on('error', warn);
    udp.on('message', (bytes, from) => {
      void this.#respond(bytes, true).then((response) => {
        // The client may be gone, and the server closed.
        if (response !== undefined && !this.#closing.signal.aborted)
          udp.send(response, from.port, from.address, () => undefined);
      });
    });
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
    const tcp = this.#tcp;
    if (tcp?.listening === true) await new Promise((resolve) => tcp.close(resolve));
    if (this.#udp !== undefined) closeUdp(this.#udp);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.setTimeout(connectionIdleMs, () => socket.destroy());
    let received = Buffer.alloc(0);
    let answering = false;
    const next = async (): Promise<void> => {
      if (answering || received.length < 2) return;
      const end = 2 + received.readUInt16BE(0);
      if (received.length < end) return;
      const query = received.subarray(2, end);
      received = received.subarray(end);
      answering = true;
      // One at a time: a client that sends many waits for them.
      socket.pause();
      const response = await this.#respond(query, false);
      answering = false;
      if (response === undefined) {
        socket.destroy();
        return;
      }
      const length = Buffer.alloc(2);
      length.writeUInt16BE(response.length);
      socket.write(Buffer.concat([length, response]));
      socket.resume();
      await next();
    };
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      void next();
    });
  }

  /** Undefined for what deserves no answer. Never rejects. */
  async #respond(bytes: Buffer, udp: boolean): Promise<Buffer | undefined> {
    let query: DecodedPacket;
    try {
      query = decode(bytes);
    } catch {
      return undefined;
    }
    // An answer to an answer would go on for ever.
    if (query.type !== 'query' || this.#pending >= pendingMax) return undefined;
    this.#pending++;
    try {
      const response = await this.#answer(query);
      return encodeResponse(query, response, { domain: this.#options.domain, udp });
    } catch (error) {
      this.#deps.logger.warn({ cause: messageOf(error) }, 'a DNS query could not be answered');
      return undefined;
    } finally {
      this.#pending--;
    }
  }

  async #answer(query: DecodedPacket): Promise<Response> {
    const [question, second] = query.questions ?? [];
    if ((query as unknown as { readonly opcode: string }).opcode !== 'QUERY')
      return { code: codes.notImplemented, answers: [] };
    if (question === undefined || second !== undefined)
      return { code: codes.formatError, answers: [] };
    return this.#answerQuestion(question);
  }

  async #answerQuestion(question: Question): Promise<Response> {
    const { domain } = this.#options;
    const { name, class: of = 'IN' } = question;
    const type: string = question.type;
    const asked = of === 'IN' ? readQuestion(name, domain) : outside;
    switch (asked.kind) {
      case 'outside':
        return { code: codes.refused, answers: [] };
      case 'nothing':
        return { code: codes.nameError, answers: [], negative: true };
      case 'apex': {
        const isSoa = type === 'SOA' || type === 'ANY';
        return { code: codes.noError, answers: isSoa ? [soaOf(domain)] : [], negative: !isSoa };
      }
      case 'address': {
        const callees = type === 'SRV' ? [] : [{ host: asked.address, port: 0, weight: 1 }];
        return recordsOf({ name, type }, callees, domain, this.#deps.random);
      }
      case 'service': {
        const callees = await this.#callees(asked.name, asked.tag);
        if (callees === 'unanswered') return { code: codes.serverFailure, answers: [] };
        if (callees === 'unknown') return { code: codes.nameError, answers: [], negative: true };
        return recordsOf({ name, type }, callees, domain, this.#deps.random);
      }
    }
  }

  #callees(
    name: string,
    tag: string | undefined,
  ): Promise<readonly Callee[] | 'unknown' | 'unanswered'> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(answerTimeoutMs)]);
    return this.#deps.source.callees(name, tag, signal);
  }
}

const outside = { kind: 'outside' } as const;

function listening(
  socket: {
    once(event: 'listening' | 'error', listener: (error: Error) => void): unknown;
    off(event: 'listening' | 'error', listener: (error: Error) => void): unknown;
  },
  open: () => unknown,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('listening', () => {
      socket.off('error', reject);
      resolve();
    });
    open();
  });
}

/** Closing a socket that was never bound, or is closed, throws. */
function closeUdp(socket: UdpSocket): void {
  try {
    socket.close();
  } catch {
    // Nothing is open.
  }
}
