// One DNS question and what counts as its answer. No I/O.
import { isDnsName } from '../../../core/dns-name.ts';
import {
  RECURSION_DESIRED,
  decode,
  encode,
  type Answer,
  type DecodedPacket,
} from '../../../core/dns-packet.ts';
import { RegistryError } from '../../../core/errors.ts';

export type QueryType = 'SRV' | 'A' | 'AAAA';

export interface Query {
  readonly id: number;
  /** In lower case. */
  readonly name: string;
  readonly type: QueryType;
  readonly bytes: Buffer;
}

/** An answer that was understood: NOERROR, or NXDOMAIN without records. */
export type DnsAnswer = Pick<DecodedPacket, 'answers' | 'additionals' | 'authorities'>;

/** Fits through every network without being cut in pieces (DNS flag day 2020). */
const udpBytesMax = 1232;

/** RFC 1035 §4.1.1: where the numbers of authority and additional records are. */
const countsAfterAnswers = 8;

/** Undefined when no name in DNS can be so: nobody has a record of it. */
export function newQuery(name: string, type: QueryType, id: number): Query | undefined {
  if (!isDnsName(name)) return undefined;
  const bytes = encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type, class: 'IN' }],
    additionals: [
      // The library's types ask for more than it needs.
      { type: 'OPT', name: '.', udpPayloadSize: udpBytesMax, flags: 0, options: [] } as never,
    ],
  });
  return { id, name, type, bytes };
}

/** Undefined for what is not the answer to the query: the id and the question must both come back (RFC 5452 §9.1). */
export function decodeAnswer(
  bytes: Buffer,
  { id, name, type }: Pick<Query, 'id' | 'name' | 'type'>,
): DecodedPacket | undefined {
  try {
    const packet = decodeLeniently(bytes);
    const [question, second] = packet.questions ?? [];
    const isAnswer = packet.type === 'response' && packet.id === id && second === undefined;
    const isSame = question?.type === type && question.name.toLowerCase() === name;
    return isAnswer && isSame ? packet : undefined;
  } catch {
    return undefined;
  }
}

/** Without what comes after the answers when that is broken, as dnsmasq 2.90 writes it beyond the first 16 KiB. */
function decodeLeniently(bytes: Buffer): DecodedPacket {
  try {
    return decodeWhole(bytes);
  } catch {
    const bare = Buffer.from(bytes);
    bare.writeUInt32BE(0, countsAfterAnswers);
    return decodeWhole(bare);
  }
}

/** The library reads over the end of a message that was cut off, and makes addresses of nothing. */
function decodeWhole(bytes: Buffer): DecodedPacket {
  const packet = decode(bytes);
  if (decode.bytes > bytes.length) throw new RangeError('the message was cut off');
  return packet;
}

/** A server that cannot answer says nothing about the name: that is a RegistryError, and no empty list. */
export function understood(packet: DecodedPacket, { name, type }: Query): DnsAnswer {
  // The library's types do not have it.
  const { rcode } = packet as unknown as { readonly rcode: string };
  const upper = packet.additionals?.find((record) => record.type === 'OPT')?.extendedRcode ?? 0;
  if (upper === 0 && rcode === 'NOERROR') return packet;
  // Records that came with it lead to a name that does not exist.
  if (upper === 0 && rcode === 'NXDOMAIN') return { ...packet, answers: [] };
  const said = upper === 0 ? rcode : `${rcode} and extended code ${upper}`;
  throw new RegistryError(
    'registry_unavailable',
    `the DNS server answers ${said} for ${name} ${type}`,
  );
}

/** The name and all that it is an alias of, as far as the records say. A circle ends where it began. */
export function aliasesOf(name: string, records: readonly Answer[]): ReadonlySet<string> {
  const targets = new Map<string, string>();
  for (const record of records) {
    if (record.type === 'CNAME') targets.set(record.name.toLowerCase(), record.data.toLowerCase());
  }
  const names = new Set([name.toLowerCase()]);
  for (const known of names) {
    const target = targets.get(known);
    if (target !== undefined) names.add(target);
  }
  return names;
}

/** The name that has to be asked for next, when the answer is an alias without the records of its target. */
export function unansweredAlias(
  { name, type }: Pick<Query, 'name' | 'type'>,
  { answers = [] }: DnsAnswer,
): string | undefined {
  const names = [...aliasesOf(name, answers)];
  if (answers.some((record) => record.type === type && names.includes(record.name.toLowerCase())))
    return undefined;
  const last = names.at(-1);
  const isCircle = answers.some(
    (record) => record.type === 'CNAME' && record.name.toLowerCase() === last,
  );
  return names.length === 1 || isCircle ? undefined : last;
}
