// AdminClient: how the commands ask the running agent.
import { request, type IncomingMessage } from 'node:http';
import { serverHeader, type FailureDocument } from '../admin/reply.ts';
import { formatAddress, parseAddress, type Address } from '../core/address.ts';
import { ConfigError, RuntimeError } from '../core/errors.ts';

export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly document: unknown }
  /** Nobody listens there, or the connection broke before an answer, also by the caller's signal. */
  | { readonly kind: 'absent' };

/** Where an agent listens unless it is told otherwise. */
export const defaultAdmin = '127.0.0.1:4190';
const silenceMsMax = 10_000;
const answerBytesMax = 64 * 1024 * 1024;

/**
 * The address of the agent's admin API: `HOST:PORT`, or the URL that a supervised app finds in OUTRIGGER_ADMIN. An empty
 * text is the default address, as an empty variable counts as not set. Throws a ConfigError.
 */
export function parseAdminAddress(text: string): Address {
  const bare = (text === '' ? defaultAdmin : text).replace(/^http:\/\//, '').replace(/\/$/, '');
  const address = parseAddress(bare, '127.0.0.1');
  if (address === undefined || address.port === 0) {
    throw new ConfigError(`--admin "${text}" is not HOST:PORT, for example ${defaultAdmin}`);
  }
  return { ...address, host: reachable[address.host] ?? address.host };
}

/** An agent that listens on all addresses is asked on loopback. */
const reachable: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Asks one agent; keeps no connection. */
export class AdminClient {
  readonly url: string;
  readonly #address: Address;

  constructor(address: Address) {
    this.#address = address;
    this.url = `http://${formatAddress(address)}`;
  }

  /**
   * The document at the path, also when its status is the one that `notOk` gives. Rejects with a RuntimeError when there is
   * no agent, or with its own reason.
   */
  async get(path: string, notOk?: number): Promise<unknown> {
    return this.#documentOf(await this.ask('GET', path), notOk);
  }

  async post(path: string): Promise<unknown> {
    return this.#documentOf(await this.ask('POST', path));
  }

  /** Rejects with a RuntimeError when something else than an agent answers, or when it stays silent for too long. */
  ask(method: 'GET' | 'POST', path: string, signal?: AbortSignal): Promise<Answer> {
    const { host, port } = this.#address;
    return new Promise<Answer>((resolve, reject) => {
      const options = { host, port, method, path, agent: false as const };
      const outgoing = request({ ...options, ...(signal && { signal }) }, (incoming) => {
        this.#read(incoming).then(resolve, reject);
      });
      outgoing.setTimeout(silenceMsMax, () => {
        outgoing.destroy(new RuntimeError(`the agent at ${this.url} does not answer`));
      });
      outgoing.on('error', (error) => {
        if (error instanceof RuntimeError) reject(error);
        else resolve({ kind: 'absent' });
      });
      outgoing.end();
    });
  }

  /** The failure of a command whose question found nobody. */
  absence(): RuntimeError {
    return new RuntimeError(
      `no agent answers at ${this.url}; start one with "outrigger run", or say where it is with --admin`,
    );
  }

  #documentOf(answer: Answer, notOk?: number): unknown {
    if (answer.kind === 'absent') throw this.absence();
    if (answer.status < 400 || answer.status === notOk) return answer.document;
    throw new RuntimeError(failureMessage(answer.document));
  }

  async #read(incoming: IncomingMessage): Promise<Answer> {
    if (incoming.headers['server'] !== serverHeader) {
      incoming.destroy();
      throw new RuntimeError(`what answers at ${this.url} is not the admin API of an agent`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of incoming) {
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > answerBytesMax) throw new RuntimeError(`${this.url} answers without end`);
      }
    } catch (error) {
      if (error instanceof RuntimeError) throw error;
      return { kind: 'absent' };
    }
    const text = Buffer.concat(chunks).toString('utf8');
    return {
      kind: 'answered',
      status: incoming.statusCode ?? 0,
      document: parseJson(text, this.url),
    };
  }
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RuntimeError(`the answer of ${url} is not JSON`);
  }
}

function failureMessage(document: unknown): string {
  // The agent's own shape: who answers has been checked.
  return (document as FailureDocument).error.message;
}
