// The heads that the fast lane writes: of requests to instances, of replies to clients, and trailers.
import type { Random } from '../../../core/random.ts';
import { replyHeaders, requestHeaders, trailerFields, viaLine } from '../../headers.ts';
import type { Call } from '../../intake.ts';
import { keepAliveLines } from '../../replies.ts';
import { newTraceparent } from '../../traceparent.ts';
import { fieldLines, splitFields } from './head-text.ts';
import type { CanonicalReply } from './reply-head.ts';
import { type CanonicalRequest, expectsBody } from './request-head.ts';

interface RequestClient {
  readonly address: string | undefined;
  /** Lines that the request gets for having come from this client. */
  readonly forwardingLines: string;
}

const chunkedLine = 'Transfer-Encoding: chunked\r\n';
const noBodyLine = 'Content-Length: 0\r\n';
const closeLine = 'Connection: close\r\n';

/** To an instance. Most fields are passed on in one piece; a request that a proxy has to edit is taken apart. */
export function requestHead(
  { host, route }: Call,
  request: CanonicalRequest,
  client: RequestClient,
  random: Random,
): string {
  const start = `${request.method} ${route.path} HTTP/1.1\r\n`;
  const end = `${framingLine(request)}Connection: keep-alive\r\n\r\n`;
  const { passing, host: originalHost, isTraced } = request;
  if (passing === undefined) {
    const hop = { host, originalHost, clientAddress: client.address, random };
    return `${start}${fieldLines(requestHeaders(neededFields(request), hop))}${end}`;
  }
  const trace = isTraced ? '' : `traceparent: ${newTraceparent(random)}\r\n`;
  return `${start}Host: ${host}\r\n${passing}${client.forwardingLines}${trace}${end}`;
}

/** Without the length of a body that nobody expects. */
function neededFields({ method, body, rawHeaders }: CanonicalRequest): readonly string[] {
  if (body !== 0 || expectsBody.has(method)) return rawHeaders;
  const at = rawHeaders.findIndex(
    (text, index) => index % 2 === 0 && /^content-length$/i.test(text),
  );
  return at === -1 ? rawHeaders : rawHeaders.toSpliced(at, 2);
}

function framingLine({ method, body, isUnframed }: CanonicalRequest): string {
  if (body === 'chunked') return chunkedLine;
  return isUnframed && expectsBody.has(method) ? noBodyLine : '';
}

/** To a client. `closing`: its connection takes no request after this one. */
export function replyHead(
  reply: CanonicalReply,
  { isChunked, closing }: { readonly isChunked: boolean; readonly closing: boolean },
): string {
  const { status, statusText, passing } = reply;
  const fields =
    passing === undefined
      ? fieldLines(replyHeaders(reply.rawHeaders, status, isChunked))
      : `${passing}${viaLine}`;
  const framing = isChunked ? chunkedLine : '';
  return `HTTP/1.1 ${statusText}${fields}${framing}${closing ? closeLine : keepAliveLines}\r\n`;
}

/** Of a reply that another one follows (1xx, RFC 9110 §15.2). */
export function interimHead({ status, statusText, rawHeaders }: CanonicalReply): string {
  return `HTTP/1.1 ${statusText}${fieldLines(replyHeaders(rawHeaders, status, false))}\r\n`;
}

/** The lines of a trailer section without those that must not be passed on. */
export function forwardedTrailer(trailer: string): string {
  return trailer === '' ? '' : fieldLines(trailerFields(splitFields(trailer)).flat());
}
