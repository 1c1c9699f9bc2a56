// `HOST:PORT` texts, with IPv6 hosts in brackets.

export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (host is `defaultHost`) or `PORT`. Port 0 is allowed. */
export function parseAddress(text: string, defaultHost: string): Address | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]/\s]*)):)?(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? defaultHost : host, port };
}

export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
