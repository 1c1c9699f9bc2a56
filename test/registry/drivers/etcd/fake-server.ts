// A gRPC server in the test's own process that answers as the test says.
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Address } from '../../../../src/core/address.ts';

export type Answer =
  | { readonly kind: 'message'; readonly message: Buffer }
  | { readonly kind: 'refusal'; readonly status: number; readonly reason: string }
  | { readonly kind: 'raw'; readonly httpStatus: number; readonly body: Buffer }
  | { readonly kind: 'nothing' };

export interface Call {
  /** Without the name of its service: `Put`. */
  readonly method: string;
  readonly token: string | undefined;
}

export class FakeServer {
  readonly calls: Call[] = [];
  answer: (call: Call) => Answer = () => ({ kind: 'nothing' });
  readonly #server: Http2Server = createServer();
  readonly #connections = new Set<{ destroy(): void }>();

  async start(): Promise<this> {
    this.#server.on('session', (session) => void this.#connections.add(session));
    this.#server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      const call = {
        method: String(headers[':path']).split('/').at(-1) ?? '',
        token: headers.authorization,
      };
      this.calls.push(call);
      respond(stream, this.answer(call));
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get address(): Address {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  /** How many connections were made. */
  get connections(): number {
    return this.#connections.size;
  }

  methods(): readonly string[] {
    return this.calls.map(({ method }) => method);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    for (const connection of this.#connections) connection.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function respond(stream: ServerHttp2Stream, answer: Answer): void {
  const head = { ':status': 200, 'content-type': 'application/grpc' };
  switch (answer.kind) {
    case 'nothing':
      return;
    case 'refusal': {
      const reason = encodeURIComponent(answer.reason);
      const status = { 'grpc-status': String(answer.status), 'grpc-message': reason };
      stream.respond({ ...head, ...status }, { endStream: true });
      return;
    }
    case 'raw':
      stream.respond({ ...head, ':status': answer.httpStatus });
      stream.end(answer.body);
      return;
    case 'message': {
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(answer.message.length, 1);
      // In two parts, neither of which is a whole.
      stream.write(prefix.subarray(0, 3));
      stream.end(Buffer.concat([prefix.subarray(3), answer.message]));
    }
  }
}
