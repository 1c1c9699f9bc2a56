// One gRPC call on an HTTP/2 stream: messages in both directions, and the status at its end.
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { EtcdRefusal, grpcStatus } from './etcd-errors.ts';

export interface GrpcSink {
  message(message: Buffer): void;
  /** Once, at the end; undefined when the server ended the call in order. */
  ended(error: RegistryError | undefined): void;
}

/** A length of four bytes comes after a byte that tells whether the message is compressed. */
const headBytes = 5;
/** Like the largest answer over HTTP. */
const messageBytesMax = 64 * 1024 * 1024;

export class GrpcStream {
  readonly #stream: ClientHttp2Stream;
  readonly #sink: GrpcSink;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #neededBytes = headBytes;
  #status: string | undefined;
  #reason = '';
  #failure: RegistryError | undefined;

  constructor(stream: ClientHttp2Stream, sink: GrpcSink) {
    this.#stream = stream;
    this.#sink = sink;
    stream.on('response', (headers) => this.#head(headers));
    stream.on('trailers', (headers: IncomingHttpHeaders) => this.#readStatus(headers));
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    // The server has said its last, so there is nobody to send to.
    stream.on('end', () => {
      if (!stream.writableEnded) this.close();
    });
    stream.on('error', (error) => {
      this.#failure ??= new RegistryError('registry_unreachable', `etcd: ${messageOf(error)}`);
    });
    stream.on('close', () => this.#end());
  }

  send(message: Buffer): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    const head = Buffer.alloc(headBytes);
    head.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([head, message]));
  }

  /** The last message that is sent. */
  sendLast(message: Buffer): void {
    this.send(message);
    this.#stream.end();
  }

  /** Ends the call in both directions; the sink is told its end. Idempotent. */
  close(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #head(headers: IncomingHttpHeaders): void {
    const httpStatus = Number(headers[':status']);
    if (httpStatus === 200) {
      this.#readStatus(headers);
    } else {
      this.#fail(`HTTP status ${httpStatus} instead of a gRPC answer`);
    }
  }

  #readStatus(headers: IncomingHttpHeaders): void {
    const { 'grpc-status': status, 'grpc-message': reason } = headers;
    if (typeof status === 'string') this.#status = status;
    if (typeof reason === 'string') this.#reason = decode(reason);
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#neededBytes && this.#failure === undefined) {
      const received = Buffer.concat(this.#chunks);
      const length = received.readUInt32BE(1);
      if (received[0] !== 0 || length > messageBytesMax) {
        this.#fail('an answer is compressed or too long');
        return;
      }
      this.#neededBytes = headBytes + length;
      this.#chunks = [received];
      if (received.length >= this.#neededBytes) this.#take(received);
    }
  }

  #take(received: Buffer): void {
    const message = received.subarray(headBytes, this.#neededBytes);
    const rest = received.subarray(this.#neededBytes);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    this.#neededBytes = headBytes;
    try {
      this.#sink.message(message);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#failure = error;
      this.close();
    }
  }

  #fail(what: string): void {
    this.#failure = new RegistryError('registry_invalid', `etcd: ${what}`);
    this.close();
  }

  #end(): void {
    if (this.#failure !== undefined) {
      this.#sink.ended(this.#failure);
    } else if (this.#status === undefined) {
      this.#sink.ended(new RegistryError('registry_unreachable', 'etcd: the connection was lost'));
    } else {
      const status = Number(this.#status);
      this.#sink.ended(
        status === grpcStatus.ok ? undefined : new EtcdRefusal(status, this.#reason),
      );
    }
  }
}

function decode(reason: string): string {
  try {
    return decodeURIComponent(reason);
  } catch {
    return reason;
  }
}
