// The servers behind the listeners: node:http and node:net, with their limits, and which carrier gets what.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
} from 'node:http';
import { createServer as createTcpServer, Socket, type Server as TcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemCodeOf } from '../core/errors.ts';
import type { FastLane } from './carriers/fast/fast-lane.ts';
import type { HttpCarrier } from './carriers/http.ts';
import type { TunnelCarrier } from './carriers/tunnel.ts';
import type { UpgradeCarrier } from './carriers/upgrade.ts';
import { sendRefusal } from './replies.ts';
import { ignoresUpgrade, resubmit } from './resubmit.ts';

export interface Carriers {
  readonly http: HttpCarrier;
  readonly upgrade: UpgradeCarrier;
  readonly tunnel: TunnelCarrier;
  /** Where connections begin; undefined: the general carrier has them all. */
  readonly fastLane: FastLane | undefined;
}

const headBytesMax = 65_536;
/** A head that is not complete by then is refused: a slow client holds a connection, and nothing more. */
const headTimeoutMs = 10_000;
/** Longer than any client keeps an idle connection, so that none is closed under a request. */
const keepAliveTimeoutMs = 120_000;

/** Node from 24.9 on asks before it takes a request for an upgrade; an older one does not know the option. */
const declining = { shouldUpgradeCallback: (req: IncomingMessage) => !ignoresUpgrade(req) };

/** A server for requests; `listenerService`: all of them are for this service. */
export function httpServer(carriers: Carriers, listenerService: string | undefined): HttpServer {
  const server = createHttpServer({
    maxHeaderSize: headBytesMax,
    headersTimeout: headTimeoutMs,
    // Bodies may take any time while they move; the carrier watches that they do.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 2000,
    highWaterMark: 65_536,
    keepAlive: true,
    noDelay: true,
    // Checked with all else, for an answer that says why.
    requireHostHeader: false,
    insecureHTTPParser: false,
    ...declining,
  });
  // Node would drop headers beyond 2,000 silently; their size is limited anyway.
  server.maxHeadersCount = 0;
  server.on('request', (req, res) => {
    carriers.http.handle(req, res, { listenerService, expectsContinue: false });
  });
  server.on('checkContinue', (req, res) => {
    carriers.http.handle(req, res, { listenerService, expectsContinue: true });
  });
  server.on('checkExpectation', (_req, res) => {
    const detail = 'the Expect header asks for something that is not 100-continue';
    sendRefusal(res, { reason: 'bad_request', detail, neverSent: true }, true);
  });
  // The connection becomes another one, and the replies to the requests before belong to this one.
  server.on('connect', (req, socket, head) => {
    carriers.http.afterReplies(socket, () => {
      carriers.tunnel.connect(req, head, listenerService);
    });
  });
  server.on('upgrade', (req, socket, head) => {
    carriers.http.afterReplies(socket, () => {
      if (ignoresUpgrade(req)) resubmit(server, req, head);
      else carriers.upgrade.handle(req, head, listenerService);
    });
  });
  server.on('clientError', (error, socket) => {
    refuseUnreadable(carriers.http, error, socket);
  });
  if (carriers.fastLane !== undefined) putBefore(server, carriers.fastLane, listenerService);
  return server;
}

/** Lets the lane have every connection first. The server's own listener, which begins to parse, gets what the lane leaves. */
function putBefore(server: HttpServer, lane: FastLane, listenerService: string | undefined): void {
  const own = server.listeners('connection');
  server.removeAllListeners('connection');
  const general = (socket: Socket): void => {
    for (const listener of own) listener.call(server, socket);
  };
  server.on('connection', (socket) => lane.take(socket, listenerService, general));
}

/** A server for any TCP protocol. */
export function tcpServer(carriers: Carriers, service: string): TcpServer {
  return createTcpServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    carriers.tunnel.accept(socket, service);
  });
}

/** Of these there is nothing that came, but something that did not. */
const silences: ReadonlySet<string | undefined> = new Set([
  'HPE_INVALID_EOF_STATE',
  'ERR_HTTP_REQUEST_TIMEOUT',
]);

/** What came is not HTTP, or came too slowly. Whoever sends no more in the middle of something is not waited for. */
function refuseUnreadable(carrier: HttpCarrier, error: Error, socket: Duplex): void {
  const code = systemCodeOf(error);
  // It ends already.
  if (!socket.writable) return;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUnused(socket)) letIdle(socket);
  else if (silences.has(code) && carrier.isBusy(socket)) socket.destroy();
  else carrier.refuse(socket, { reason: 'bad_request', detail: detailOf(error), neverSent: true });
}

/** Nothing has come on it: clients open connections ahead, and take an answer for one to their first request. */
function isUnused(socket: Duplex): boolean {
  return socket instanceof Socket && socket.bytesRead === 0;
}

function letIdle(socket: Duplex): void {
  const timer = setTimeout(() => {
    if (isUnused(socket)) socket.destroy();
  }, keepAliveTimeoutMs - headTimeoutMs);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

/** What Node's parser complains of, in words where they are better than its code. */
function detailOf(error: Error): string {
  const code = systemCodeOf(error);
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return `the head is larger than ${headBytesMax} bytes`;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return `the head was not complete within ${headTimeoutMs} ms`;
    case 'HPE_PAUSED_H2_UPGRADE':
      return 'HTTP/2 is not spoken on this port: use HTTP/1.1, or a port from --upstream tcp:SERVICE=PORT';
    case 'HPE_INVALID_METHOD':
      if (isTls(error)) return 'this looks like TLS: use http:// in place of https://';
      return `the method is not known (${code})`;
    case 'HPE_INVALID_HEADER_TOKEN':
      return `a header has a character that it must not have (${code})`;
    default:
      return `it cannot be read as HTTP/1.1 (${code ?? error.message})`;
  }
}

/** RFC 8446 §5.1: a connection begins with a record of type handshake, 22, which no method begins with. */
function isTls(error: Error): boolean {
  return 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) && error.rawPacket[0] === 22;
}
