// The callers of the end-to-end tests: single requests, and load at a constant rate.

import type { TestContext } from 'node:test';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';

export interface Call {
  readonly port?: number;
  readonly socketPath?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The JSON of the body; its text when it is none. */
  readonly body: unknown;
}

export function requestJson({ body, agent, ...call }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', timeout: 10_000, ...call, agent: agent ?? false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: parse(text),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
    outgoing.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Requests at a constant rate, whether or not earlier ones were answered; each has a number of its own. */
export class Load {
  readonly failures: string[] = [];
  readonly served = new Map<string, number>();
  readonly #call: (number: number) => Call;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Set<Promise<void>>();
  sent = 0;

  /** `call` makes the request of a number. Ends with the test at the latest. */
  constructor(t: Pick<TestContext, 'after'>, perSecond: number, call: (number: number) => Call) {
    t.after(() => this.stop());
    this.#call = call;
    const startedAtMs = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAtMs) / 1000) * perSecond;
      while (this.sent < due) this.#send(this.sent++);
    }, 5);
  }

  /** Resolves when every request was answered or has failed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#agent.destroy();
  }

  #send(number: number): void {
    const pending = this.#run(number).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  async #run(number: number): Promise<void> {
    const call = this.#call(number);
    const method = call.method ?? 'GET';
    const headers = { ...call.headers, 'x-number': String(number) };
    try {
      const answer = await requestJson({ ...call, headers, agent: this.#agent });
      if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
      const { name } = answer.body as { readonly name: string };
      this.served.set(name, (this.served.get(name) ?? 0) + 1);
    } catch (error) {
      this.failures.push(`${method} ${number}: ${String(error)}`);
    }
  }
}
