// Which records answer a question about a service: those of its instances, in random order.
import { isIPv4, isIPv6 } from 'node:net';
import { isDnsName } from '../core/dns-name.ts';
import type { Answer, Question } from '../core/dns-packet.ts';
import type { Random } from '../core/random.ts';
import { nameOfHost } from './question.ts';

/** An instance that may be called now. */
export interface Callee {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
}

/** RFC 1035 §4.1.1, RFC 2136 §2.2 and RFC 6891 §9. */
export const codes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
};

export interface Response {
  readonly code: number;
  readonly answers: readonly Answer[];
  readonly additionals?: readonly Answer[];
  /** There is nothing: the domain's SOA says so. */
  readonly negative?: boolean;
}

/** Lists change at any time: an answer is good for the connection that is made now. */
const ttlSeconds = 0;
/** More fit into no message. */
const calleesMax = 2000;

/** The records of the callees that the question is about. A host that DNS cannot name is left out. */
export function recordsOf(
  { name, type }: Pick<Question, 'name'> & { readonly type: string },
  callees: readonly Callee[],
  domain: string,
  random: Random,
): Response {
  if (type === 'ANY') {
    // RFC 8482 §4.2.
    const data = { cpu: 'RFC8482', os: '' };
    return { code: codes.noError, answers: [{ name, ttl: ttlSeconds, type: 'HINFO', data }] };
  }
  const named = callees.filter(({ host }) => hasName(host, domain));
  const shuffled = shuffle(named, random).slice(0, calleesMax);
  const hosts = [...new Set(shuffled.map(({ host }) => host))];
  if (type === 'SRV') {
    const answers = shuffled.map((callee) => serviceRecord(name, callee, domain));
    const additionals = hosts.flatMap((host) => addressRecord(nameOfHost(host, domain), host));
    return { code: codes.noError, answers, additionals, negative: answers.length === 0 };
  }
  const matches = type === 'A' ? isIPv4 : type === 'AAAA' ? isIPv6 : () => false;
  const answers = hosts.filter(matches).flatMap((host) => addressRecord(name, host));
  return { code: codes.noError, answers, negative: answers.length === 0 };
}

function hasName(host: string, domain: string): boolean {
  const name = nameOfHost(host, domain);
  return isDnsName(name) && !/[:%]/.test(name);
}

/** RFC 2782: whole numbers, and 0 only for what should get next to nothing. */
function serviceRecord(name: string, { host, port, weight }: Callee, domain: string): Answer {
  const share = Math.min(65_535, Math.max(1, Math.ceil(weight)));
  const data = { priority: 0, weight: share, port, target: nameOfHost(host, domain) };
  return { name, ttl: ttlSeconds, type: 'SRV', data };
}

function addressRecord(name: string, host: string): Answer[] {
  if (isIPv4(host)) return [{ name, ttl: ttlSeconds, type: 'A', data: host }];
  if (isIPv6(host)) return [{ name, ttl: ttlSeconds, type: 'AAAA', data: host }];
  return [];
}

/** Fisher and Yates. */
function shuffle<T>(list: readonly T[], random: Random): T[] {
  const shuffled = [...list];
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
  }
  return shuffled;
}

/** RFC 2308 §3; nothing is remembered as missing, for it may come at any time. */
export function soaOf(domain: string): Answer {
  const data = {
    mname: `ns.${domain}`,
    rname: `hostmaster.${domain}`,
    ...{ serial: 1, refresh: 60, retry: 60, expire: 600, minimum: 0 },
  };
  return { type: 'SOA', name: domain, ttl: ttlSeconds, data };
}
