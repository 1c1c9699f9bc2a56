// What a DNS question asks for: a service, an address that an answer named, the domain itself, or nothing of ours.
import { isIPv4, isIPv6 } from 'node:net';

export type Asked =
  /** `name` is a service, or a tag and a service: `v2.payments`. */
  | { readonly kind: 'service'; readonly name: string; readonly tag: string | undefined }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'apex' }
  /** In the domain, but no name of this kind. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'outside' };

/** Protocols of RFC 2782; another second label is a tag, as in Consul: `_payments._v2`. */
const protocols: ReadonlySet<string> = new Set(['_tcp', '_udp', '_http', '_https', '_grpc']);

/** Reads a name in any case, with or without the dot at its end. The domain is in lower case. */
export function readQuestion(questionName: string, domain: string): Asked {
  const name = questionName.toLowerCase().replace(/\.$/, '');
  if (name === domain) return { kind: 'apex' };
  if (!name.endsWith(`.${domain}`)) return { kind: 'outside' };
  const inside = name.slice(0, -domain.length - 1);
  const srv = /^_([^.]+(?:\.[^._][^.]*)*)\.(_[^.]+)$/.exec(inside);
  if (srv !== null) {
    const [, service = '', second = ''] = srv;
    return {
      kind: 'service',
      name: service,
      tag: protocols.has(second) ? undefined : second.slice(1),
    };
  }
  const hex = /^([0-9a-f]{8}|[0-9a-f]{32})\.addr$/.exec(inside)?.[1];
  if (hex !== undefined) return { kind: 'address', address: addressOfHex(hex) };
  return inside.startsWith('_')
    ? { kind: 'nothing' }
    : { kind: 'service', name: inside, tag: undefined };
}

/** A name in the domain that stands for an IP address; a host that is none stays as it is. */
export function nameOfHost(host: string, domain: string): string {
  if (isIPv4(host)) {
    const bytes = host.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
    return `${bytes.join('')}.addr.${domain}`;
  }
  // A zone (%eth0) means something on one machine only, and stays what DNS cannot name.
  if (isIPv6(host) && !host.includes('%')) return `${hexOfIpv6(host)}.addr.${domain}`;
  return host;
}

function addressOfHex(hex: string): string {
  if (hex.length === 8) return (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)).join('.');
  // As the system writes it: without needless zeroes.
  return new URL(`http://[${(hex.match(/..../g) ?? []).join(':')}]`).hostname.slice(1, -1);
}

function hexOfIpv6(host: string): string {
  // The URL parser turns an embedded IPv4 part into groups too.
  const text = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [before = '', after] = text.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeroes = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeroes, ...tail].map((group) => group.padStart(4, '0')).join('');
}
