// An HTTP server that answers as a test tells it to: for what no Consul server of today can be brought to say.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly body: string;
}

export class FakeAgent {
  readonly requests: SeenRequest[] = [];
  /** Undefined: never answers. */
  respond: (request: SeenRequest) => FakeAnswer | undefined = () => ({});
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeAgent> {
    const server = createServer();
    const agent = new FakeAgent(server);
    server.on('request', (request, response) => void agent.#answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return agent;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const token = request.headers['x-consul-token'];
    const seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      token: typeof token === 'string' ? token : undefined,
      body,
    };
    this.requests.push(seen);
    const answer = this.respond(seen);
    if (answer === undefined) return;
    response.writeHead(answer.status ?? 200, {
      'x-consul-index': '7',
      'x-consul-knownleader': 'true',
      ...answer.headers,
    });
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? []);
    response.end(text);
  }
}
