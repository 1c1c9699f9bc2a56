// Refuses messages that Node's parser accepts and that two parsers could read in two ways.
import { parseAuthority, splitAbsolute } from './authority.ts';

/** The parts of an incoming request that are judged. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
}

/** Visible ASCII without `#`: a fragment is never sent (RFC 9112 §3.2), and other bytes must be encoded. */
const targetPattern = /^[\x21\x22\x24-\x7e]+$/;

/** Why the request must be answered with 400, or undefined when it is sound. */
export function refuseAmbiguous(request: RequestHead): string | undefined {
  const { method, target } = request;
  const found = readFraming(request.rawHeaders);
  return refuseTarget(method, target) ?? refuseHost(request, found) ?? refuseFraming(found);
}

/** The same of a reply's headers, names and values in turn, as far as they say where it ends. */
export function refuseReplyFraming(rawHeaders: readonly string[]): string | undefined {
  return refuseFraming(readFraming(rawHeaders));
}

interface Framing {
  readonly hosts: string[];
  readonly lengths: string[];
  readonly encodings: string[];
}

function readFraming(rawHeaders: readonly string[]): Framing {
  const framing: Framing = { hosts: [], lengths: [], encodings: [] };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    // The lengths of the three names, so that most headers cost one comparison.
    if (name.length === 4 && name.toLowerCase() === 'host') framing.hosts.push(value);
    else if (name.length === 14 && name.toLowerCase() === 'content-length')
      framing.lengths.push(value);
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding')
      framing.encodings.push(value);
  }
  return framing;
}

function refuseTarget(method: string, target: string): string | undefined {
  if (!targetPattern.test(target)) return 'the target has characters that must be encoded';
  if (method === 'CONNECT' || target.startsWith('/')) return undefined;
  if (target === '*') return "the target '*' is addressed to the agent itself";
  const absolute = splitAbsolute(target);
  if (absolute === undefined) return 'the target is neither a path nor an absolute URL';
  if (absolute.scheme !== 'http') return `the scheme '${absolute.scheme}' cannot be proxied`;
  return undefined;
}

/** RFC 9112 §3.2: exactly one valid Host; an absolute target must name the same host. */
function refuseHost(request: RequestHead, { hosts }: Framing): string | undefined {
  if (hosts.length > 1) return 'more than one Host header';
  const [host] = hosts;
  if (host === undefined)
    return request.httpVersion === '1.0' ? undefined : 'the Host header is missing';
  const authority = parseAuthority(host);
  if (authority === undefined) return 'the Host header is not a plain host and port';
  const absolute = splitAbsolute(request.target);
  if (request.method === 'CONNECT' || absolute === undefined) return undefined;
  const target = parseAuthority(absolute.authority);
  if (target === undefined) return 'the authority of the target is not a plain host and port';
  const equal = target.host === authority.host && (target.port ?? 80) === (authority.port ?? 80);
  return equal ? undefined : 'the Host header and the target name different hosts';
}

/** RFC 9112 §6.1: a message is framed in one way only, and `chunked` is the only coding that can be re-framed. */
function refuseFraming({ lengths, encodings }: Framing): string | undefined {
  if (lengths.length > 1) return 'more than one Content-Length header';
  if (lengths[0] !== undefined && !/^\d{1,15}$/.test(lengths[0]))
    return 'the Content-Length header is not a number';
  if (encodings.length === 0) return undefined;
  if (encodings.length > 1 || encodings[0]?.toLowerCase() !== 'chunked')
    return "the Transfer-Encoding header is not exactly 'chunked'";
  return lengths.length > 0 ? 'both Content-Length and Transfer-Encoding' : undefined;
}
