// Who may ask the admin API: only programs that address it as itself, never web pages and never through a proxy.
import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { RequestRefusal } from './reply.ts';

/** What the guard looks at. */
export interface GuardedRequest extends Pick<IncomingMessage, 'headers' | 'rawHeaders'> {
  readonly socket: { readonly localAddress?: string | undefined };
}

/** Headers that only proxies add, besides all that begin with `x-forwarded-`. */
const proxyHeaders = ['via', 'forwarded'];

/**
 * Throws a RequestRefusal unless the request comes straight from a program that knows whom it asks. It must name the admin API
 * by an address of its own, which a web page that had its name resolve to this machine (DNS rebinding) cannot; it must not
 * come from a page of another origin (another port of localhost is one); it must not have passed a proxy, ours included.
 */
export function guardRequest(request: GuardedRequest, ownHosts: readonly string[]): void {
  const host = singleHost(request);
  if (!isOwnHost(host, request, ownHosts)) {
    throw new RequestRefusal(403, 'foreign_host', 'the Host header is not an address of this API');
  }
  const { origin } = request.headers;
  if (origin !== undefined && origin.toLowerCase() !== `http://${host}`) {
    throw new RequestRefusal(403, 'foreign_origin', 'pages of other origins may not ask this API');
  }
  const site = request.headers['sec-fetch-site'] ?? 'none';
  if (site !== 'none' && site !== 'same-origin') {
    throw new RequestRefusal(403, 'foreign_origin', 'pages of other sites may not ask this API');
  }
  const proxyHeader = Object.keys(request.headers).find(
    (name) => proxyHeaders.includes(name) || name.startsWith('x-forwarded-'),
  );
  if (proxyHeader !== undefined) {
    const message = `requests through a proxy are refused (header ${proxyHeader})`;
    throw new RequestRefusal(403, 'proxied', message);
  }
}

/** The only Host header in lower case, or empty: Node keeps the first of several without complaint. */
function singleHost(request: GuardedRequest): string {
  const hosts = request.rawHeaders.filter(
    (value, index) => index % 2 === 0 && value.toLowerCase() === 'host',
  );
  return hosts.length === 1 ? (request.headers.host ?? '').toLowerCase() : '';
}

/** The port is not compared: a container's port may be mapped to another, and rebinding is a matter of names only. */
function isOwnHost(
  authority: string,
  { socket }: GuardedRequest,
  ownHosts: readonly string[],
): boolean {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(authority);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return false;
  if (host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))) {
    return true;
  }
  const arrivedAt = socket.localAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  return host === arrivedAt || ownHosts.includes(host);
}
