// How a query reaches one DNS server and its answer comes back: by UDP (RFC 1035, RFC 6891) or TCP (RFC 7766).
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { formatAddress, type Address } from '../../../core/address.ts';
import type { Clock, Timer } from '../../../core/clock.ts';
import type { DecodedPacket } from '../../../core/dns-packet.ts';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { decodeAnswer, type Query } from './query.ts';

/** A lost datagram is sent again after this time. */
export const repeatMs = 400;

/**
 * Sends again and again until there is an answer, the server's port is closed or the signal aborts. A socket for each query:
 * its source port is as hard to guess as its id. It is connected, so that the system drops what others send.
 */
export function askOverUdp(
  server: Address,
  query: Query,
  clock: Clock,
  signal: AbortSignal,
): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    let timer: Timer | undefined;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.close();
    };
    const fail = (error: Error | null | undefined): void => {
      if (isOver || error === null || error === undefined) return;
      end();
      reject(asFailure(server, error));
    };
    const onAbort = (): void => fail(reasonOf(signal));
    const send = (): void => {
      if (isOver) return;
      socket.send(query.bytes, fail);
      timer = clock.after(repeatMs, send);
    };
    socket.on('error', fail);
    socket.on('message', (bytes) => {
      const answer = decodeAnswer(bytes, query);
      if (answer === undefined || isOver) return;
      end();
      resolve(answer);
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else {
      socket.connect(server.port, server.host, (error?: Error) => {
        fail(error);
        send();
      });
    }
  });
}

/** A connection for each query: polls are too far apart for servers to keep one open. */
export function askOverTcp(
  server: Address,
  query: Query,
  signal: AbortSignal,
): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...server, noDelay: true });
    let received = Buffer.alloc(0);
    const end = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    };
    const fail = (error: Error): void => {
      end();
      reject(asFailure(server, error));
    };
    const onAbort = (): void => fail(reasonOf(signal));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('connection closed')));
    socket.on('connect', () => socket.write(framed(query.bytes)));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      const whole = received.length < 2 ? Infinity : 2 + received.readUInt16BE(0);
      if (received.length < whole) return;
      const answer = decodeAnswer(received.subarray(2, whole), query);
      if (answer === undefined) {
        fail(new RegistryError('registry_invalid', 'the answer is not to this query'));
        return;
      }
      end();
      resolve(answer);
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** RFC 1035 §4.2.2. */
function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof RegistryError ? reason : new Error('cancelled');
}

function asFailure(server: Address, error: Error): RegistryError {
  const code = error instanceof RegistryError ? error.code : 'registry_unreachable';
  const message = `DNS server ${formatAddress(server)}: ${messageOf(error)}`;
  return new RegistryError(code, message, { cause: error });
}
