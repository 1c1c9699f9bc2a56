// Where a DNS registry is and how its names are made: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { isDnsName } from '../../../core/dns-name.ts';
import { ConfigError } from '../../../core/errors.ts';
import { isPort } from '../../../core/instance.ts';
import { parseHostsUrl, parseParameters, parseUrl, redactUrl, type Parameters } from '../../url.ts';

export interface DnsLocation {
  readonly url: string;
  /** Undefined: those that the system uses. */
  readonly servers?: readonly Address[];
  readonly domain: string;
  /** With `{service}`, `{proto}` and `{domain}`. */
  readonly name: string;
  readonly proto: string;
  /** The port of all instances, found by A and AAAA records; undefined where SRV records say it. */
  readonly port?: number;
  /** Every query over TCP. */
  readonly tcp: boolean;
  readonly ttlMinMs: number;
  readonly ttlMaxMs: number;
}

const known = {
  name: 'text',
  proto: 'text',
  port: 'number',
  tcp: 'flag',
  'min-ttl': 'duration',
  'max-ttl': 'duration',
} as const;

/** Reads `dns://[server[:53][,server…]]/<domain>`. Throws a ConfigError for anything that cannot work. */
export function parseLocation(text: string): DnsLocation {
  const where = `registry ${redactUrl(text)}`;
  const isSystem = /^dns:\/\/(?:\/|$|\?)/i.test(text);
  const { url, hosts } = isSystem
    ? { url: parseUrl(text), hosts: undefined }
    : parseHostsUrl(text, 53);
  const { port, name, proto = 'tcp', tcp = false, ...times } = parseParameters(url, known);
  if (port !== undefined && !isPort(port)) throw new ConfigError(`${where}: port must be a port`);
  return {
    url: redactUrl(text),
    ...(hosts !== undefined && { servers: hosts }),
    domain: readDomain(url, where),
    name: readName(name, port, where),
    proto,
    ...(port !== undefined && { port }),
    tcp,
    ...readLifetimes(times, where),
  };
}

function readDomain({ pathname }: URL, where: string): string {
  const domain = pathname.replace(/^\//, '').replace(/\.$/, '');
  if (/^(?:[a-z0-9_-]+\.)*[a-z0-9_-]+$/i.test(domain) && isDnsName(domain)) return domain;
  throw new ConfigError(`${where}: the path must be the domain, such as /service.consul`);
}

function readName(name: string | undefined, port: number | undefined, where: string): string {
  const usual = port === undefined ? '_{service}._{proto}.{domain}' : '{service}.{domain}';
  if (name?.includes('{service}') === false) {
    throw new ConfigError(`${where}: name must have {service} in it`);
  }
  return name ?? usual;
}

function readLifetimes(
  { 'min-ttl': ttlMinMs = 1000, 'max-ttl': ttlMaxMs = 60_000 }: Parameters<typeof known>,
  where: string,
): Pick<DnsLocation, 'ttlMinMs' | 'ttlMaxMs'> {
  if (ttlMinMs < 100 || ttlMaxMs < ttlMinMs) {
    throw new ConfigError(`${where}: min-ttl must be at least 100ms and at most max-ttl`);
  }
  return { ttlMinMs, ttlMaxMs };
}

/** The DNS name of a service. */
export function nameOf({ name, proto, domain }: DnsLocation, service: string): string {
  return name
    .replaceAll('{service}', service)
    .replaceAll('{proto}', proto)
    .replaceAll('{domain}', domain)
    .toLowerCase()
    .replace(/\.$/, '');
}
