// Reads names of services, with or without a tag, out of host names, headers and path segments.
import { isIP } from 'node:net';
import { parseServiceName } from '../../core/service-name.ts';
import { ownText, parseAuthority } from '../authority.ts';
import type { Arrival } from './route.ts';

export interface NamesDeps {
  /** Whether the registry has a service of exactly this name, as far as is known now. */
  readonly knows: (service: string) => boolean;
}

export interface NamesOptions {
  /** With their leading dot: `.localhost`, `.svc`. */
  readonly suffixes: readonly string[];
  /** Names that mean the listener itself, besides localhost and loopback addresses. */
  readonly ownHosts: readonly string[];
  /** Lets hosts that are no service through to the network. */
  readonly passthrough: boolean;
}

export interface ServiceAddress {
  readonly service: string;
  readonly tag: string | undefined;
}

/** Clients choose the hosts that they send: more different ones than this are not remembered. */
const settledMax = 1000;

export class Names {
  readonly passthrough: boolean;
  readonly #deps: NamesDeps;
  readonly #suffixes: readonly string[];
  readonly #ownHosts: ReadonlySet<string>;
  /** By Host header. The same few come with every request, and reading one costs more than all of the routing besides. */
  readonly #settled = new Map<string, ServiceAddress>();

  constructor(deps: NamesDeps, options: NamesOptions) {
    this.#deps = deps;
    this.passthrough = options.passthrough;
    this.#suffixes = options.suffixes.map((suffix) => suffix.toLowerCase());
    this.#ownHosts = new Set(options.ownHosts.map((host) => host.toLowerCase()));
  }

  /** What a host name of a service ends with, for instance; empty when no suffix is configured. */
  get suffix(): string {
    return this.#suffixes[0] ?? '';
  }

  /** A text that can only mean a service: an exact name wins, else the part before the first dot is a tag. */
  read(text: string): ServiceAddress | undefined {
    const exact = parseServiceName(text);
    if (exact === undefined) return undefined;
    const dot = exact.indexOf('.');
    if (dot === -1 || this.#deps.knows(exact)) return { service: exact, tag: undefined };
    const service = parseServiceName(exact.slice(dot + 1));
    if (service === undefined) return { service: exact, tag: undefined };
    return { service, tag: exact.slice(0, dot) };
  }

  /**
   * What a Host header means when it always means the same, whatever the registry knows and wherever the request came in;
   * undefined for all others.
   */
  readSettled(header: string): ServiceAddress | undefined {
    const settled = this.#settled.get(header);
    if (settled !== undefined) return settled;
    const host = parseAuthority(header)?.host;
    if (host === undefined || isIP(host) !== 0 || this.isOwn(host, undefined)) return undefined;
    const name = this.#withoutSuffix(host) ?? host;
    const address = name.includes('.') ? undefined : this.read(name);
    if (address === undefined) return undefined;
    if (this.#settled.size >= settledMax) this.#settled.clear();
    this.#settled.set(ownText(header), address);
    return address;
  }

  /** A host name may mean anything on the network: without a suffix, a name with dots must be a known service. */
  readHost(host: string): ServiceAddress | undefined {
    if (mayBeAddress(host) && isIP(host) !== 0) return undefined;
    const name = this.#withoutSuffix(host);
    if (name !== undefined) return this.read(name);
    const address = this.read(host);
    if (address === undefined || !host.includes('.')) return address;
    return this.#deps.knows(address.service) ? address : undefined;
  }

  /** Undefined when there is no suffix. */
  #withoutSuffix(host: string): string | undefined {
    const suffix = this.#suffixes.find((candidate) => host.endsWith(candidate));
    return suffix === undefined ? undefined : host.slice(0, -suffix.length);
  }

  /** Whether the host is the agent's own: localhost, a loopback address, where the connection arrived, an own name. */
  isOwn(host: string, arrival: Arrival | undefined): boolean {
    return (
      host === 'localhost' ||
      isLoopback(host) ||
      (mayBeAddress(host) && host === arrival?.localAddress?.replace(/^::ffff:/, '')) ||
      this.#ownHosts.has(host)
    );
  }
}

/** No other text can be an IP address; looking closer costs much more. */
function mayBeAddress(host: string): boolean {
  const last = host.charCodeAt(host.length - 1);
  return (last >= 48 && last <= 57) || host.includes(':');
}

export function isLoopback(host: string): boolean {
  if (!mayBeAddress(host)) return false;
  const version = isIP(host);
  if (version === 4) return host.startsWith('127.') || host === '0.0.0.0';
  return version === 6 && /^(?:::1|::|::ffff:(?:127\..*|7f[0-9a-f]{2}:.*))$/.test(host);
}
