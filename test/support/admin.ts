// A real AdminServer over a fake view, and raw requests to it.
import { connect } from 'node:net';
import { AdminServer } from '../../src/admin/server.ts';
import type { AgentView } from '../../src/admin/view.ts';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import type { Address } from '../../src/core/address.ts';
import { silentLogger, type Logger } from '../../src/core/logger.ts';

export interface AdminParts {
  readonly address?: Address;
  readonly ownHosts?: readonly string[];
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** Starts a server on a free port, runs the body, and closes the server. */
export async function withAdmin(
  view: AgentView,
  body: (server: AdminServer) => Promise<void>,
  { address, ownHosts = [], logger = silentLogger, clock = systemClock }: AdminParts = {},
): Promise<void> {
  const options = { address: address ?? { host: '127.0.0.1', port: 0 }, ownHosts };
  const server = new AdminServer({ view, logger, clock }, options);
  await server.start();
  try {
    await body(server);
  } finally {
    await server.close();
  }
}

export interface RawReply {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends the bytes as they are and reads until the server closes: `Connection: close` is the caller's to send. */
export function sendRaw({ host, port }: Address, text: string): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port }, () => socket.write(text));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
      resolve({ status, head, body: rest.join('\r\n\r\n') });
    });
  });
}

/** A request with these header lines and no others. */
export function ask(
  address: Address,
  requestLine: string,
  headers: readonly string[] = [`Host: 127.0.0.1:${address.port}`],
): Promise<RawReply> {
  const lines = [`${requestLine} HTTP/1.1`, ...headers, 'Connection: close', '', ''];
  return sendRaw(address, lines.join('\r\n'));
}

export function parseReply(reply: RawReply): unknown {
  return JSON.parse(reply.body);
}
