// Asks DNS servers: UDP first with repetition, TCP where an answer does not fit (RFC 1035, RFC 6891, RFC 7766).
import { createSocket } from 'node:dgram';
import { Resolver as SystemResolver } from 'node:dns';
import { connect, isIPv6 } from 'node:net';
import { formatAddress, parseAddress, type Address } from '../../../core/address.ts';
import type { Clock, Timer } from '../../../core/clock.ts';
import { RECURSION_DESIRED, decode, encode, type DecodedPacket } from '../../../core/dns-packet.ts';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';

export type QueryType = 'SRV' | 'A' | 'AAAA';

interface ResolverDeps {
  readonly clock: Clock;
  readonly random: Random;
}

interface ResolverOptions {
  /** Undefined: those that the system uses, looked up for each query. */
  readonly servers: readonly Address[] | undefined;
  readonly tcp: boolean;
}

/** A lost datagram is sent again after this time, to the next server if there is one. */
const repeatMs = 400;
/** Fits through every network without being cut in pieces (DNS flag day 2020). */
const udpBytesMax = 1232;
/** RFC 1035 §4.1.1. */
const nxDomain = 3;

interface Query {
  readonly id: number;
  readonly name: string;
  readonly type: QueryType;
  readonly bytes: Buffer;
}

/** An answer that was understood: NOERROR or NXDOMAIN. */
export type DnsAnswer = Pick<DecodedPacket, 'answers' | 'additionals' | 'authorities'>;

export class Resolver {
  readonly #deps: ResolverDeps;
  readonly #options: ResolverOptions;

  constructor(deps: ResolverDeps, options: ResolverOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Rejects with a RegistryError when no server answers before the signal aborts, or one cannot. */
  async query(name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
    const servers = this.#options.servers ?? systemServers();
    if (servers.length === 0) throw new RegistryError('registry_unreachable', 'no DNS server');
    const query = this.#newQuery(name, type);
    if (this.#options.tcp) return understood(await askOverTcp(servers[0], query, signal), query);
    const { answer, server } = await this.#askOverUdp(servers, query, signal);
    return understood(answer.flag_tc ? await askOverTcp(server, query, signal) : answer, query);
  }

  #newQuery(name: string, type: QueryType): Query {
    const id = Math.floor(this.#deps.random() * 65_536);
    const bytes = encode({
      type: 'query',
      id,
      flags: RECURSION_DESIRED,
      questions: [{ name, type, class: 'IN' }],
      additionals: [
        { type: 'OPT', name: '.', udpPayloadSize: udpBytesMax, flags: 0, options: [] } as never,
      ],
    });
    return { id, name, type, bytes };
  }

  /** A socket for each query: its source port is as hard to guess as its id. */
  #askOverUdp(
    servers: readonly Address[],
    query: Query,
    signal: AbortSignal,
  ): Promise<{ readonly answer: DecodedPacket; readonly server: Address }> {
    return new Promise((resolve, reject) => {
      const sockets = new Map<string, ReturnType<typeof createSocket>>();
      let timer: Timer | undefined;
      let sent = 0;
      const end = (): void => {
        timer?.cancel();
        signal.removeEventListener('abort', onAbort);
        for (const socket of sockets.values()) socket.close();
      };
      const fail = (cause: string): void => {
        end();
        reject(new RegistryError('registry_unreachable', cause));
      };
      const onAbort = (): void => fail('no answer');
      const socketTo = (server: Address): ReturnType<typeof createSocket> => {
        const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
        socket.on('message', (bytes, from) => {
          const isFromServer = from.port === server.port && sameHost(from.address, server.host);
          const answer = isFromServer ? decodeAnswer(bytes, query) : undefined;
          if (answer === undefined) return;
          end();
          resolve({ answer, server });
        });
        // A port that is closed says so; with several servers another may answer.
        socket.on('error', (error) => {
          if (servers.length === 1) fail(`${formatAddress(server)}: ${messageOf(error)}`);
        });
        return socket;
      };
      const send = (): void => {
        const server = servers[sent++ % servers.length];
        if (server === undefined) return;
        const key = formatAddress(server);
        const socket = sockets.get(key) ?? socketTo(server);
        sockets.set(key, socket);
        socket.send(query.bytes, server.port, server.host, () => undefined);
        timer = this.#deps.clock.after(repeatMs, send);
      };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else send();
    });
  }
}

function systemServers(): readonly Address[] {
  return new SystemResolver().getServers().flatMap((text) => {
    const address = parseAddress(text, '') ?? { host: text, port: 53 };
    return [address.host === '' ? { host: text, port: 53 } : address];
  });
}

/** Hosts given by name are whoever answers; addresses must be the same. */
function sameHost(from: string, host: string): boolean {
  return from === host || !/^[0-9.]+$|:/.test(host);
}

function askOverTcp(
  server: Address | undefined,
  query: Query,
  signal: AbortSignal,
): Promise<DecodedPacket> {
  if (server === undefined) throw new RegistryError('registry_unreachable', 'no DNS server');
  return new Promise((resolve, reject) => {
    const socket = connect({ ...server, noDelay: true });
    let received = Buffer.alloc(0);
    const end = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    };
    const fail = (cause: string): void => {
      end();
      reject(new RegistryError('registry_unreachable', `${formatAddress(server)}: ${cause}`));
    };
    const onAbort = (): void => fail('no answer');
    socket.on('error', (error) => fail(messageOf(error)));
    socket.on('close', () => fail('connection closed'));
    socket.on('connect', () => socket.write(framed(query.bytes)));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = decodeAnswer(received.subarray(2, 2 + received.readUInt16BE(0)), query);
      if (answer === undefined) {
        fail('the answer is not to this query');
        return;
      }
      end();
      resolve(answer);
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** RFC 1035 §4.2.2. */
function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Undefined for what is not the answer to the query: the id and the question must both come back. */
function decodeAnswer(bytes: Buffer, { id, name, type }: Query): DecodedPacket | undefined {
  try {
    const packet = decode(bytes);
    const [question] = packet.questions ?? [];
    const isAnswer = packet.type === 'response' && packet.id === id;
    const isSame = question?.type === type && question.name.toLowerCase() === name;
    return isAnswer && isSame ? packet : undefined;
  } catch {
    return undefined;
  }
}

/** A server that cannot answer says nothing about the name: the list stays. */
function understood(packet: DecodedPacket, { name }: Query): DnsAnswer {
  // The library's types know the code as a text only.
  const { rcode } = packet as unknown as { readonly rcode: string };
  if (rcode === 'NOERROR') return packet;
  if (rcode === 'NXDOMAIN' || Number(rcode) === nxDomain) return { ...packet, answers: [] };
  throw new RegistryError('registry_unavailable', `the DNS server answers ${rcode} for ${name}`);
}
