// DNS messages of the server: which bytes are a query, and a response as it goes over the wire.
import {
  AUTHORITATIVE_ANSWER,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
  type Answer,
  type DecodedPacket,
  type OptAnswer,
} from '../core/dns-packet.ts';
import { codes, soaOf, type Response } from './answer.ts';

/** RFC 1035 §4.1.1: a response says what was asked of it. */
const opcodeMask = 0x7800;
/** RFC 1035 §4.1.1, §4.1.2 and §4.1.3: the least that each part takes. */
const [headerBytes, questionBytesMin, recordBytesMin] = [12, 5, 11];
/** RFC 6891 §6.2.3: what a client can take that does not say. */
const plainUdpBytesMax = 512;
/** More is cut in pieces on some networks. */
const udpBytesMax = 1232;
const tcpBytesMax = 65_535;

/** Undefined for anything but a query: an answer to an answer would go on for ever. */
export function readQuery(bytes: Buffer): DecodedPacket | undefined {
  if (bytes.length < headerBytes || bytes.readUInt8(2) >= 0x80) return undefined;
  const count = (at: number): number => bytes.readUInt16BE(at);
  // The library makes room for as many as are announced.
  const announced =
    count(4) * questionBytesMin + (count(6) + count(8) + count(10)) * recordBytesMin;
  if (announced > bytes.length - headerBytes) return undefined;
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

/** The version of EDNS that the query is of; undefined without EDNS. */
export function ednsVersionOf(query: DecodedPacket): number | undefined {
  return optOf(query)?.ednsVersion;
}

/**
 * What does not fit is left out. If answers were, the response says that it was cut (TC), so that a client over UDP asks
 * again over TCP; one that does not has at least some of them.
 */
export function encodeResponse(
  query: DecodedPacket,
  response: Response,
  options: { readonly domain: string; readonly udp: boolean },
): Buffer {
  const bytesMax = options.udp ? udpBytesMaxOf(query) : tcpBytesMax;
  const frame = { ...response, answers: [], additionals: [] };
  const room = bytesMax - encodeWhole(query, frame, options.domain, false).length;
  const answers = firstThatFit(response.answers, room);
  const left = room - answers.reduce((sum, answer) => sum + bytesOf(answer), 0);
  const isCut = answers.length < response.answers.length;
  const additionals = isCut ? [] : firstThatFit(response.additionals ?? [], left);
  return encodeWhole(query, { ...response, answers, additionals }, options.domain, isCut);
}

function firstThatFit(records: readonly Answer[], bytesMax: number): readonly Answer[] {
  let bytes = 0;
  const end = records.findIndex((record) => (bytes += bytesOf(record)) > bytesMax);
  return end < 0 ? records : records.slice(0, end);
}

/** The library writes every name in full, so that sizes simply add up. */
function bytesOf(record: Answer): number {
  const head = nameBytes(record.name) + 10;
  switch (record.type) {
    case 'A':
      return head + 4;
    case 'AAAA':
      return head + 16;
    case 'SRV':
      return head + 6 + nameBytes(record.data.target);
    default:
      return encode({ answers: [record] }).length - headerBytes;
  }
}

function nameBytes(name: string): number {
  return name.length + 2;
}

function encodeWhole(
  query: DecodedPacket,
  { code, answers, additionals = [], negative = false }: Response,
  domain: string,
  isCut: boolean,
): Buffer {
  const isOurs = code === codes.noError || code === codes.nameError;
  const opt = optOf(query) === undefined ? [] : [ownOpt(code)];
  return encode({
    type: 'response',
    id: query.id ?? 0,
    flags:
      ((query.flags ?? 0) & opcodeMask) |
      (isOurs ? AUTHORITATIVE_ANSWER : 0) |
      (query.flag_rd ? RECURSION_DESIRED : 0) |
      (isCut ? TRUNCATED_RESPONSE : 0) |
      (code & 0xf),
    // The library cannot give back what it did not understand.
    questions: code === codes.formatError ? [] : (query.questions ?? []),
    answers: [...answers],
    authorities: negative ? [soaOf(domain)] : [],
    additionals: [...additionals, ...opt],
  });
}

function udpBytesMaxOf(query: DecodedPacket): number {
  const offered = optOf(query)?.udpPayloadSize ?? plainUdpBytesMax;
  return Math.max(plainUdpBytesMax, Math.min(offered, udpBytesMax));
}

function optOf({ additionals = [] }: DecodedPacket): OptAnswer | undefined {
  return additionals.find((record) => record.type === 'OPT');
}

/** RFC 6891 §6.1.3: the upper bits of the code are here. The library's types ask for more than it needs. */
function ownOpt(code: number): Answer {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: udpBytesMax, extendedRcode: code >> 4 };
  return { ...opt, ednsVersion: 0, flags: 0, flag_do: false, options: [] } as never;
}
