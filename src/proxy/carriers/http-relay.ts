// Writes an instance's reply to the client: head, interim replies, body, trailers.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { replyHeaders, trailerFields, valueOf } from '../headers.ts';
import type { ReplyHead } from './http-attempt.ts';

/** RFC 9110 §6.4.1: replies that have no body whatever their headers say. */
export function isHeadOnly(method: string | undefined, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/**
 * Begins the reply. False when Node refuses to write it, because it cannot be written as valid HTTP; then nothing was
 * written. `close`: the connection takes no further request.
 */
export function writeHead(
  { method, httpVersion }: IncomingMessage,
  res: ServerResponse,
  head: ReplyHead,
  close: boolean,
): boolean {
  const headOnly = isHeadOnly(method, head.status);
  const lengthKnown =
    valueOf(head.rawHeaders, 'content-length') !== undefined &&
    valueOf(head.rawHeaders, 'transfer-encoding') === undefined;
  const trailers = !headOnly && !lengthKnown && httpVersion !== '1.0';
  const headers = replyHeaders(head.rawHeaders, head.status, trailers);
  if (close) headers.push('Connection', 'close');
  // The instance's own Date, or none.
  res.sendDate = false;
  try {
    res.writeHead(head.status, reasonPhrase(head), headers);
    return true;
  } catch {
    return false;
  }
}

/** Passes on a 1xx (RFC 9110 §15.2), if its turn on the connection has come. */
export function writeInterim(req: IncomingMessage, res: ServerResponse, head: ReplyHead): void {
  // Before its turn in a pipeline a response has no socket. Node has no method that writes any 1xx.
  const { socket } = res;
  if (socket === null || res.headersSent || req.httpVersion === '1.0') return;
  // They may be left out (RFC 9110 §15.2), and must not pile up.
  if (socket.writableLength > 0) return;
  let text = `HTTP/1.1 ${head.status} ${reasonPhrase(head)}\r\n`;
  const headers = replyHeaders(head.rawHeaders, head.status, false);
  for (let index = 0; index < headers.length; index += 2)
    text += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`;
  socket.write(`${text}\r\n`, 'latin1');
}

export function endReply(res: ServerResponse, rawTrailers: readonly string[]): void {
  const fields = rawTrailers.length === 0 ? [] : trailerFields(rawTrailers);
  if (fields.length > 0) res.addTrailers(fields);
  res.end();
}

/** The instance's own words, unless they could not be written as they are. */
function reasonPhrase({ status, message }: ReplyHead): string {
  return /^[\t\x20-\x7e]*$/.test(message) ? message : (STATUS_CODES[status] ?? '');
}
