// The DNS server of the agent: answers for services from what the proxy itself would call, over UDP and TCP.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { formatAddress, type Address } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { isDnsName } from '../core/dns-name.ts';
import type { DecodedPacket, Question } from '../core/dns-packet.ts';
import { ConfigError, messageOf, systemCodeOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';
import { codes, recordsOf, soaOf, type Callee, type Response } from './answer.ts';
import { ednsVersionOf, encodeResponse, readQuery } from './message.ts';
import { readQuestion } from './question.ts';
import { TcpClient } from './tcp-client.ts';

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
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface DnsServerOptions {
  /** Port 0 is any port that is free for both. */
  readonly address: Address;
  /** In lower case, without a dot at its end. */
  readonly domain: string;
}

interface Sockets {
  readonly tcp: Server;
  readonly udp: UdpSocket;
}

/** A client waits a few seconds and asks again. */
const answerTimeoutMs = 2000;
/** Queries that wait at the same time; more are dropped, as a network would. */
const pendingMax = 256;
/** Part of what `src/agent/connections-max.ts` keeps free. */
const connectionsMax = 16;
/** A port that is free for TCP may be taken for UDP. */
const anyPortAttempts = 20;

export class DnsServer implements Component {
  readonly #deps: DnsServerDeps;
  readonly #options: DnsServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #pending = new Set<AbortController>();
  #open: Sockets | undefined;
  #closed = false;

  constructor(deps: DnsServerDeps, options: DnsServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Where it listens, with the port that was found for port 0; undefined before the start. */
  get address(): Address | undefined {
    const address = this.#open?.tcp.address();
    return typeof address === 'object' && address !== null
      ? { host: address.address, port: address.port }
      : undefined;
  }

  /** Fails with a ConfigError when it cannot listen. */
  async start(): Promise<void> {
    if (this.#open !== undefined) return;
    const { address } = this.#options;
    for (let attempt = 1; this.#open === undefined; attempt++) {
      try {
        this.#open = await this.#listen(address);
      } catch (error) {
        const why = systemCodeOf(error) ?? messageOf(error);
        if (why === 'EADDRINUSE' && address.port === 0 && attempt < anyPortAttempts) continue;
        throw new ConfigError(`--dns ${formatAddress(address)}: ${why}`, { cause: error });
      }
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = this.#open;
    this.#open = undefined;
    for (const waiting of this.#pending) waiting.abort();
    for (const socket of this.#sockets) socket.destroy();
    if (open !== undefined) await closed(open);
  }

  async #listen(address: Address): Promise<Sockets> {
    const tcp = createServer((socket) => this.#accept(socket));
    tcp.maxConnections = connectionsMax;
    const udp = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
    try {
      await listening(tcp, () => tcp.listen(address));
      const { port } = tcp.address() as AddressInfo;
      await listening(udp, () => udp.bind({ port, address: address.host, exclusive: true }));
    } catch (error) {
      await closed({ tcp, udp });
      throw error;
    }
    const warn = (error: Error): void => {
      this.#deps.logger.warn({ cause: error.message }, 'the DNS server has trouble');
    };
    tcp.on('error', warn);
    udp.on('error', warn);
    udp.on('message', (bytes, from) => void this.#respondOverUdp(udp, bytes, from));
    return { tcp, udp };
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const { clock } = this.#deps;
    const respond = (bytes: Buffer): Promise<Buffer | undefined> => this.#respond(bytes, false);
    new TcpClient({ socket, clock, respond }).start();
  }

  async #respondOverUdp(udp: UdpSocket, bytes: Buffer, from: RemoteInfo): Promise<void> {
    // No program can ask from port 0; a forged packet can say so, and answering it would throw.
    if (from.port === 0) return;
    const response = await this.#respond(bytes, true);
    if (response === undefined || this.#closed) return;
    // The client may be gone.
    udp.send(response, from.port, from.address, () => undefined);
  }

  /** Undefined for what deserves no answer. Never rejects. */
  async #respond(bytes: Buffer, udp: boolean): Promise<Buffer | undefined> {
    const query = readQuery(bytes);
    if (query === undefined || this.#pending.size >= pendingMax || this.#closed) return undefined;
    const waiting = new AbortController();
    this.#pending.add(waiting);
    const timer = this.#deps.clock.after(answerTimeoutMs, () => waiting.abort());
    try {
      const response = await this.#answer(query, waiting.signal);
      return encodeResponse(query, response, { domain: this.#options.domain, udp });
    } catch (error) {
      this.#deps.logger.warn({ cause: messageOf(error) }, 'a DNS query could not be answered');
      return undefined;
    } finally {
      timer.cancel();
      this.#pending.delete(waiting);
    }
  }

  async #answer(query: DecodedPacket, signal: AbortSignal): Promise<Response> {
    const [question, second] = query.questions ?? [];
    // The library's types do not have it.
    const { opcode } = query as unknown as { readonly opcode: string };
    if (opcode !== 'QUERY') return { code: codes.notImplemented, answers: [] };
    if (question === undefined || second !== undefined || !isDnsName(question.name))
      return question?.name === '.' ? refusal : { code: codes.formatError, answers: [] };
    // RFC 6891 §6.1.3.
    if ((ednsVersionOf(query) ?? 0) > 0) return { code: codes.badVersion, answers: [] };
    return this.#answerQuestion(question, signal);
  }

  async #answerQuestion(question: Question, signal: AbortSignal): Promise<Response> {
    const { source, random } = this.#deps;
    const { domain } = this.#options;
    const { name, class: of = 'IN' } = question;
    const type: string = question.type;
    if (of !== 'IN') return refusal;
    const asked = readQuestion(name, domain);
    switch (asked.kind) {
      case 'outside':
        return refusal;
      case 'nothing':
        return { code: codes.nameError, answers: [], negative: true };
      case 'apex': {
        const isSoa = type === 'SOA' || type === 'ANY';
        return { code: codes.noError, answers: isSoa ? [soaOf(domain)] : [], negative: !isSoa };
      }
      case 'address': {
        const callees = type === 'SRV' ? [] : [{ host: asked.address, port: 0, weight: 1 }];
        return recordsOf({ name, type }, callees, domain, random);
      }
      case 'service': {
        const callees = await source.callees(asked.name, asked.tag, signal);
        if (callees === 'unanswered') return { code: codes.serverFailure, answers: [] };
        if (callees === 'unknown') return { code: codes.nameError, answers: [], negative: true };
        return recordsOf({ name, type }, callees, domain, random);
      }
    }
  }
}

const refusal: Response = { code: codes.refused, answers: [] };

/** Also of a server that does not listen. */
async function closed({ tcp, udp }: Sockets): Promise<void> {
  await Promise.all([
    new Promise((resolve) => tcp.close(resolve)),
    new Promise<void>((resolve) => udp.close(resolve)),
  ]);
}

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
