// A stand-in for an API server that answers each request as a test says, in order, and remembers what it was asked.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedAnswer {
  readonly status?: number;
  /** One JSON document a line; sent at once. */
  readonly documents?: readonly object[];
  /** The answer never ends. */
  readonly open?: boolean;
}

export class ScriptedApi {
  /** Paths with queries, each with the token that came along. */
  readonly requests: { readonly url: URL; readonly token: string | undefined }[] = [];
  readonly #answers: ScriptedAnswer[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ScriptedApi> {
    const server = createServer((request, response) => {
      const { status, documents, open } = api.#next(request);
      response.writeHead(status ?? 200, { 'content-type': 'application/json' });
      for (const document of documents ?? []) response.write(`${JSON.stringify(document)}\n`);
      if (open !== true) response.end();
    });
    const api = new ScriptedApi(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answer(...answers: readonly ScriptedAnswer[]): void {
    this.#answers.push(...answers);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  /** What was not foreseen stays open, so that a test ends by its own deadline or signal. */
  #next({ url, headers }: IncomingMessage): ScriptedAnswer {
    this.requests.push({ url: new URL(url ?? '', this.url), token: headers.authorization });
    return this.#answers.shift() ?? { open: true };
  }
}
