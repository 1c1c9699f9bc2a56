// Gives a request that Node took for an upgrade back to the server, as the plain request that it can also be.
import type { IncomingMessage, Server } from 'node:http';
import { hasBody } from './headers.ts';

/**
 * Whether the upgrade is not wanted. A server may ignore one (RFC 9110 §7.8), and must be able to here: Java's HTTP client
 * asks for h2c with every first request. A body would have to be read before the protocol changes.
 */
export function ignoresUpgrade(req: IncomingMessage): boolean {
  const protocols = (req.headers.upgrade ?? '').toLowerCase().split(',');
  return hasBody(req) || protocols.every((protocol) => /^(?:h2c?)?$/.test(protocol.trim()));
}

/**
 * Puts the request's head, without its Upgrade, before what the client sent after it, and lets the server read the
 * connection anew. Node before 24.9 has no way to decline an upgrade once its server has a listener for them.
 */
export function resubmit(server: Server, req: IncomingMessage, rest: Buffer): void {
  let head = `${req.method ?? ''} ${req.url ?? ''} HTTP/${req.httpVersion}\r\n`;
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index] ?? '';
    const value = req.rawHeaders[index + 1] ?? '';
    if (name.toLowerCase() === 'upgrade') continue;
    head += `${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}\r\n`;
  }
  const { socket } = req;
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), rest]));
  server.emit('connection', socket);
}

function withoutUpgrade(connection: string): string {
  const options = connection
    .split(',')
    .filter((option) => option.trim().toLowerCase() !== 'upgrade');
  return options.join(',');
}
