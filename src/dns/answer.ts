// Makes DNS responses: records of a service's instances, negative answers, and what fits into a datagram.
import { isIPv4, isIPv6 } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  encode,
  type Answer,
  type DecodedPacket,
  type OptAnswer,
  type Question,
} from '../core/dns-packet.ts';
import type { Random } from '../core/random.ts';
import { nameOfHost } from './question.ts';

/** An instance that may be called now. */
export interface Callee {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
}

/** RFC 1035 §4.1.1 and RFC 2136 §2.2. */
export const codes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
};

/** RFC 1035 §4.1.1: a response says what was asked of it. */
const opcodeMask = 0x7800;

/** Lists change at any time: an answer is good for the connection that is made now. */
const ttlSeconds = 0;
/** RFC 6891 §6.2.3: what a client can take that does not say. */
const plainUdpBytesMax = 512;
/** More is cut in pieces on some networks. */
const udpBytesMax = 1232;

export interface Response {
  readonly code: number;
  readonly answers: readonly Answer[];
  readonly additionals?: readonly Answer[];
  /** There is nothing: the domain's SOA says so. */
  readonly negative?: boolean;
}

/** The records of the callees that the question is about, in random order. */
export function recordsOf(
  { name, type }: Pick<Question, 'name'> & { readonly type: string },
  callees: readonly Callee[],
  domain: string,
  random: Random,
): Response {
  const shuffled = callees
    .map((callee) => ({ callee, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ callee }) => callee);
  const common = { name, ttl: ttlSeconds } as const;
  if (type === 'SRV') {
    const answers = shuffled.map(({ host, port, weight }): Answer => {
      const data = { priority: 0, weight, port, target: nameOfHost(host, domain) };
      return { ...common, type: 'SRV', data };
    });
    const hosts = [...new Set(shuffled.map(({ host }) => host))];
    const additionals = hosts.flatMap((host) => addressRecord(nameOfHost(host, domain), host));
    return { code: codes.noError, answers, additionals, negative: answers.length === 0 };
  }
  if (type === 'ANY') {
    // RFC 8482 §4.2.
    return {
      code: codes.noError,
      answers: [{ ...common, type: 'HINFO', data: { cpu: 'RFC8482', os: '' } }],
    };
  }
  const hosts = [...new Set(shuffled.map(({ host }) => host))];
  const matches = type === 'A' ? isIPv4 : type === 'AAAA' ? isIPv6 : () => false;
  const answers = hosts.filter(matches).flatMap((host) => addressRecord(name, host));
  return { code: codes.noError, answers, negative: answers.length === 0 };
}

function addressRecord(name: string, host: string): Answer[] {
  if (isIPv4(host)) return [{ name, ttl: ttlSeconds, type: 'A', data: host }];
  if (isIPv6(host)) return [{ name, ttl: ttlSeconds, type: 'AAAA', data: host }];
  return [];
}

/**
 * The response as it goes over the wire. Over UDP, what does not fit is left out and the response says that it was cut
 * (TC), so that the client asks again over TCP.
 */
export function encodeResponse(
  query: DecodedPacket,
  response: Response,
  options: { readonly domain: string; readonly udp: boolean },
): Buffer {
  const bytesMax = options.udp ? bytesMaxOf(query) : 65_535;
  const whole = encodeWith(query, response, options.domain, false);
  if (whole.length <= bytesMax) return whole;
  const bare = encodeWith(query, { ...response, additionals: [] }, options.domain, false);
  if (bare.length <= bytesMax) return bare;
  // A client that does not ask again has at least some of them.
  let count = Math.floor((response.answers.length * bytesMax) / bare.length);
  for (; count > 0; count--) {
    const answers = response.answers.slice(0, count);
    const cut = encodeWith(query, { ...response, answers, additionals: [] }, options.domain, true);
    if (cut.length <= bytesMax) return cut;
  }
  return encodeWith(query, { ...response, answers: [], additionals: [] }, options.domain, true);
}

function encodeWith(
  query: DecodedPacket,
  { code, answers, additionals = [], negative = false }: Response,
  domain: string,
  truncated: boolean,
): Buffer {
  const isRefused = code === codes.refused;
  return encode({
    type: 'response',
    id: query.id ?? 0,
    flags:
      ((query.flags ?? 0) & opcodeMask) |
      (isRefused ? 0 : AUTHORITATIVE_ANSWER) |
      (query.flag_rd ? RECURSION_DESIRED : 0) |
      (truncated ? TRUNCATED_RESPONSE : 0) |
      code,
    questions: query.questions ?? [],
    answers: [...answers],
    authorities: negative ? [soaOf(domain)] : [],
    additionals: [...additionals, ...(optOf(query) === undefined ? [] : [ownOpt])],
  });
}

function bytesMaxOf(query: DecodedPacket): number {
  const offered = optOf(query)?.udpPayloadSize ?? plainUdpBytesMax;
  return Math.max(plainUdpBytesMax, Math.min(offered, udpBytesMax));
}

function optOf({ additionals = [] }: DecodedPacket): OptAnswer | undefined {
  return additionals.find((record) => record.type === 'OPT');
}

const ownOpt = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: udpBytesMax,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
} as never;

/** RFC 2308 §3; nothing is remembered as missing, for it may come at any time. */
export function soaOf(domain: string): Answer {
  const data = {
    mname: `ns.${domain}`,
    rname: `hostmaster.${domain}`,
    ...{ serial: 1, refresh: 60, retry: 60, expire: 600, minimum: 0 },
  };
  return { type: 'SOA', name: domain, ttl: ttlSeconds, data };
}
