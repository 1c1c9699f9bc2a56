// The one place where a reason code becomes a response.
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { reasons, type Reason } from '../core/reasons.ts';
import type { SnapshotState } from '../core/snapshot.ts';
import type { Attempt } from './exchange.ts';

/** What an answer of the agent itself says. */
export interface Refusal {
  readonly reason: Reason;
  /** What was wrong in this case, for people; the reason's own meaning otherwise. */
  readonly detail?: string | undefined;
  readonly service?: string | undefined;
  /** Only instances with this tag were asked for. */
  readonly tag?: string | undefined;
  readonly attempts?: readonly Attempt[];
  /** What is known of the service, and how old it is; null when the registry has never answered. */
  readonly registry?: { readonly state: SnapshotState; readonly ageMs: number | null } | undefined;
  /** The request reached no instance and may be repeated whatever its method. */
  readonly neverSent: boolean;
}

/** A client that has sent more than was read is given this time to see the last reply, before its connection breaks. */
export const lingerMs = 1000;

/** What came as a request's body is not one: neither can the request be completed nor the next one be found. */
export const malformedBody: Refusal = {
  reason: 'bad_request',
  detail: 'the chunked body is malformed',
  neverSent: false,
};

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** Answers the request. `close`: the connection takes no further one. */
export function sendRefusal(res: ServerResponse, refusal: Refusal, close: boolean): void {
  const { status, headers, body } = answer(refusal, close);
  // With the phrase, for a reply that was tried and could not be written has left its own.
  res.writeHead(status, STATUS_CODES[status] ?? '', [...headers]);
  res.end(body);
}

/** Answers on a connection that is no longer HTTP to Node (CONNECT, upgrades, unreadable requests), and ends it. */
export function endWithRefusal(socket: Duplex, refusal: Refusal): void {
  endLingering(socket, refusalBytes(refusal, true));
}

/**
 * Ends the connection with these bytes. What the client is still sending is thrown away for a while: to close at once would
 * reset the connection, and the last reply may be lost (RFC 9112 §9.6).
 */
export function endLingering(socket: Duplex, bytes?: Buffer): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.end(bytes).resume();
}

/** What a reply says beside its own fields when the connection takes another request, as Node's server says it. */
export const keepAliveLines = 'Connection: keep-alive\r\nKeep-Alive: timeout=120\r\n';

/** The whole answer as it goes over the wire. `headOnly`: the request was HEAD. */
export function refusalBytes(refusal: Refusal, close: boolean, headOnly = false): Buffer {
  const { status, headers, body } = answer(refusal, close);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`;
  const bytes = Buffer.from(`${head}${close ? '' : keepAliveLines}\r\n`, 'latin1');
  return headOnly ? bytes : Buffer.concat([bytes, body]);
}

function answer(refusal: Refusal, close: boolean): Answer {
  const { reason, service, tag, attempts = [], registry, neverSent } = refusal;
  const { status, meaning } = reasons[reason];
  const body = Buffer.from(
    `${JSON.stringify({
      error: reason,
      message: refusal.detail === undefined ? meaning : `${meaning}: ${refusal.detail}`,
      service: service ?? null,
      tag: tag ?? null,
      attempts: attempts.map(({ endpoint, failure }) => ({
        address: endpoint.address,
        instance: endpoint.instance.id,
        cause: failure?.cause ?? null,
        ms: failure === undefined ? null : Math.round(failure.afterMs),
      })),
      registry: registry ?? null,
    })}\n`,
  );
  const headers = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
  headers.push('Outrigger-Error', reason);
  if (neverSent) headers.push('Outrigger-Retryable', 'never-sent');
  headers.push('Date', new Date().toUTCString());
  if (close) headers.push('Connection', 'close');
  return { status, headers, body };
}
