// The gRPC probe: the app is well when grpc.health.v1.Health/Check says SERVING.
import type { ClientHttp2Session, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import { formatAddress, type Address } from '../../core/address.ts';
import { failed, failedBy } from '../failure.ts';
import type { Probe, ProbeResult } from '../probe.ts';

export interface GrpcProbeOptions {
  readonly target: Address;
  /** The name asked for; empty is the server as a whole. */
  readonly service: string;
}

/** Names of HealthCheckResponse.ServingStatus by number, as in grpc/health/v1/health.proto. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** The answer is a few bytes; a longer one is no answer. */
const replyBytesMax = 4096;

/** Cleartext HTTP/2 with prior knowledge, a connection of its own for each check. */
export function grpcProbe({ target, service }: GrpcProbeOptions): Probe {
  const address = formatAddress(target);
  const message = encodeRequest(service);
  return {
    name: service === '' ? `grpc ${address}` : `grpc ${address} ${service}`,
    run: async (signal) => {
      // Loaded at the first check: most agents never speak gRPC to their app.
      const { connect } = await import('node:http2');
      if (signal.aborted) return failedBy(signal.reason, signal);
      return ask(
        connect(`http://${address}`, { settings: { enablePush: false } }),
        message,
        signal,
      );
    },
  };
}

function ask(
  session: ClientHttp2Session,
  message: Buffer,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const settle = (result: ProbeResult): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(result);
      session.destroy();
    };
    const onError = (error: unknown): void => {
      settle(failedBy(error, signal));
    };
    const onAbort = (): void => {
      onError(signal.reason);
    };
    signal.addEventListener('abort', onAbort);
    session.on('error', onError);
    session.on('close', () => {
      settle(failed('the connection was closed without an answer'));
    });
    // Not before: a stream of a session that cannot connect would hide the reason.
    session.on('connect', () => {
      check(session, message, settle);
    });
  });
}

function check(
  session: ClientHttp2Session,
  message: Buffer,
  settle: (result: ProbeResult) => void,
): void {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'outrigger-health-check',
  });
  let headers: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
  let trailers: IncomingHttpHeaders = {};
  let reply = Buffer.alloc(0);
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('trailers', (received: IncomingHttpHeaders) => {
    trailers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    reply = Buffer.concat([reply, chunk]);
    if (reply.length > replyBytesMax) settle(failed('the answer is too long'));
  });
  stream.on('end', () => {
    // A stream that was reset ends too, without any headers.
    const status = headers[':status'];
    if (status === undefined) settle(failed('the stream was closed without an answer'));
    else if (status !== 200) settle(failed(`status ${status}`));
    // An answer without a message has the trailers' fields in its head (gRPC over HTTP2: Trailers-Only).
    else settle(judge({ ...headers, ...trailers }, reply));
  });
  stream.on('error', (error: Error) => {
    settle(failed(error.message));
  });
  stream.end(message);
}

function judge(fields: IncomingHttpHeaders, reply: Buffer): ProbeResult {
  const grpcStatus = fields['grpc-status'];
  if (grpcStatus !== '0') {
    const text = fields['grpc-message'];
    const detail = typeof text === 'string' && text !== '' ? `: ${text}` : '';
    return failed(`gRPC status ${String(grpcStatus ?? 'missing')}${detail}`);
  }
  const serving = decodeReply(reply);
  if (serving === undefined) return failed('the answer is no HealthCheckResponse');
  const name = servingStatuses[serving] ?? String(serving);
  return name === 'SERVING' ? { ok: true } : failed(name);
}

/** A length-prefixed, uncompressed HealthCheckRequest: field 1 is the service's name. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The number of the serving status, or undefined when the bytes are no uncompressed HealthCheckResponse. */
function decodeReply(reply: Buffer): number | undefined {
  if (reply.length < 5 || reply[0] !== 0) return undefined;
  const message = reply.subarray(5);
  if (message.length !== reply.readUInt32BE(1)) return undefined;
  // Proto3 leaves out a field that is 0.
  if (message.length === 0) return 0;
  return message.length === 2 && message[0] === 0x08 ? message[1] : undefined;
}
