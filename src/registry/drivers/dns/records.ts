// From DNS answers to instances: which targets count, their weights, addresses and time to live. No I/O.
import { isIP } from 'node:net';
import { formatAddress } from '../../../core/address.ts';
import { isDnsName } from '../../../core/dns-name.ts';
import type { Answer } from '../../../core/dns-packet.ts';
import { isHost, isPort, type Instance } from '../../../core/instance.ts';
import { aliasesOf, type DnsAnswer } from './query.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
}

/** More targets, or instances, than this are not a service but an accident. */
const targetsMax = 5000;
const instancesMax = 5000;
/** Addresses of one name. */
const addressesMax = 1000;
/** The largest weight of an instance; larger ones are scaled down together. */
const weightMax = 1000;

/** The SRV records' targets (RFC 2782): only those of the most preferred priority, with their shares of the load. */
export function targetsOf(
  name: string,
  { answers = [] }: DnsAnswer,
): { readonly targets: readonly Target[]; readonly malformed: number } {
  const names = aliasesOf(name, answers);
  const records = answers
    .filter((answer) => answer.type === 'SRV' && names.has(answer.name.toLowerCase()))
    .slice(0, targetsMax)
    .map((answer) => (answer as Extract<Answer, { type: 'SRV' }>).data);
  // A target of "." says that the service is not there.
  const offered = records.filter(({ target }) => target !== '' && target !== '.');
  const sound = offered.filter(({ target, port }) => isTarget(target) && isPort(port));
  const best = Math.min(...sound.map(({ priority = 0 }) => priority));
  const chosen = sound.filter(({ priority = 0 }) => priority === best);
  const heaviest = Math.max(0, ...chosen.map(({ weight = 0 }) => weight));
  const targets = chosen.map(({ target, port, weight = 0 }) => ({
    host: target.toLowerCase().replace(/\.$/, ''),
    port,
    weight: shareOf(weight, heaviest),
  }));
  return { targets, malformed: offered.length - sound.length };
}

function isTarget(text: string): boolean {
  return isHost(text) && isDnsName(text.replace(/\.$/, ''));
}

/** RFC 2782: all zero means that there is no choice to make, zero among others a very small chance. */
function shareOf(weight: number, heaviest: number): number {
  if (heaviest === 0) return 1;
  const scaled = heaviest <= weightMax ? weight : Math.round((weight * weightMax) / heaviest);
  return Math.max(1, scaled);
}

/** The addresses of a name in an answer, following its aliases. */
export function addressesOf(
  name: string,
  records: readonly Answer[],
  type: 'A' | 'AAAA',
): string[] {
  const names = aliasesOf(name, records);
  const family = type === 'A' ? 4 : 6;
  const addresses = records
    .filter((record) => record.type === type && names.has(record.name.toLowerCase()))
    .map(addressIn)
    .filter((address) => isIP(address) === family);
  return [...new Set(addresses)].slice(0, addressesMax).sort();
}

function addressIn(record: Answer): string {
  return 'data' in record && typeof record.data === 'string' ? record.data : '';
}

/** How long the answer may be used, by its shortest-lived record; undefined when it does not say. */
export function lifetimeMs({
  answers = [],
  additionals = [],
  authorities = [],
}: DnsAnswer): number | undefined {
  const positive = [...answers, ...additionals].filter(({ type }) => type !== 'OPT');
  const seconds = positive.flatMap((record) => ('ttl' in record ? [record.ttl ?? 0] : []));
  if (seconds.length > 0) return Math.min(...seconds) * 1000;
  // RFC 2308 §5: how long it may be believed that there is nothing.
  const soa = authorities.find(({ type }) => type === 'SOA') as
    Extract<Answer, { type: 'SOA' }> | undefined;
  return soa === undefined ? undefined : Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) * 1000;
}

/** A target and where it is. */
export interface Place extends Target {
  readonly addresses: readonly string[];
}

/**
 * An instance for each address and port, with the largest weight that it is given. Its id is its address, since DNS knows no
 * other. In the order of their ids, so that equal answers in another order make equal lists.
 */
export function instancesOf(service: string, places: readonly Place[]): readonly Instance[] {
  const byId = new Map<string, Instance>();
  for (const { port, weight, addresses } of places) {
    for (const host of addresses) {
      if (byId.size >= instancesMax) break;
      const id = formatAddress({ host, port });
      if (weight <= (byId.get(id)?.weight ?? -1)) continue;
      byId.set(id, { service, id, host, port, weight, tags: [], meta: {} });
    }
  }
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
