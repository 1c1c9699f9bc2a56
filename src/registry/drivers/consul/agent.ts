// The HTTP API of one Consul agent: where requests go, and what its answers mean.
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { HttpClient, type HttpAnswer } from '../../http-client.ts';
import { passwordOf, type PasswordSource } from '../../password.ts';
import type { ConsulLocation } from './location.ts';

/** What a list was answered with. */
export interface Indexed {
  readonly body: unknown;
  /** Of the state that was read; at least 1, since 0 would mean not to wait for a change. */
  readonly index: number;
}

type Query = Readonly<Record<string, string>>;

/** The server may add a sixteenth to the time that a query waits, so that not all end together. */
const waitJitter = 1 / 16;
/** And for the way there and back: so much of the time to wait, within limits. */
const grace = { part: 1 / 2, minMs: 500, maxMs: 3000 };

/** Every operation fails with a RegistryError. */
export class ConsulAgent {
  readonly #client: HttpClient;
  readonly #location: ConsulLocation;

  constructor(location: ConsulLocation) {
    const { server, socketPath, tls, token } = location;
    this.#location = location;
    this.#client = new HttpClient({
      servers: [server],
      ...(socketPath !== undefined && { socketPath }),
      ...(tls !== undefined && { tls }),
      headers: () => headersFor(token),
    });
  }

  /** Writes to the agent itself; the answer is the caller's to judge. `name` is the last part of the path. */
  async put(
    path: string,
    name: string,
    signal: AbortSignal,
    { query = {}, body }: { readonly query?: Query; readonly body?: object } = {},
  ): Promise<HttpAnswer> {
    const request = {
      method: 'PUT',
      path: pathOf(path, name, { ...this.#location.tenancy, ...query }),
      body: body === undefined ? '' : JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    };
    return this.#client.request(request, signal);
  }

  /** Asks the agent about itself; the answer is the caller's to judge. */
  async ask(path: string, name: string, signal: AbortSignal): Promise<HttpAnswer> {
    const request = { method: 'GET', path: pathOf(path, name, this.#location.tenancy) };
    return this.#client.request(request, signal);
  }

  /** A list from the catalog, as it is now. */
  list(path: string, name: string, query: Query, signal: AbortSignal): Promise<Indexed> {
    return this.#list({ method: 'GET', path: this.#listPath(path, name, query) }, signal);
  }

  /**
   * The list when the index has gone beyond the given one, or the old one when nothing has happened for the time to wait. An
   * agent that is silent for longer is gone.
   */
  listAfter(
    path: string,
    name: string,
    query: Query & { readonly index: string },
    signal: AbortSignal,
  ): Promise<Indexed> {
    const { waitMs } = this.#location;
    const wait = `${Math.round(waitMs)}ms`;
    const request = {
      method: 'GET',
      path: this.#listPath(path, name, { ...query, wait }),
      silenceMs: silenceMsOf(waitMs),
    };
    return this.#list(request, signal);
  }

  close(): void {
    this.#client.close();
  }

  #listPath(path: string, name: string, query: Query): string {
    const { tenancy, datacenter, stale } = this.#location;
    return pathOf(path, name, {
      ...tenancy,
      ...(datacenter !== undefined && { dc: datacenter }),
      ...(stale && { stale: '' }),
      ...query,
    });
  }

  async #list(
    request: { readonly method: string; readonly path: string; readonly silenceMs?: number },
    signal: AbortSignal,
  ): Promise<Indexed> {
    const answer = await this.#client.request(request, signal);
    mustBeOk(answer);
    // A server without a leader cannot tell how old its list is. Agents that follow an event stream never know a leader.
    const isStreamed = answer.headers['x-consul-query-backend'] === 'streaming';
    if (!isStreamed && answer.headers['x-consul-knownleader'] === 'false') {
      throw new RegistryError('registry_unavailable', 'consul: no cluster leader');
    }
    const body = parseBody(answer.text);
    // What a token may not read is left out without an error, which must not look like a service without instances.
    if (answer.headers['x-consul-results-filtered-by-acls'] === 'true' && isEmpty(body)) {
      throw new RegistryError('registry_auth', 'consul: the token may not read this');
    }
    return { body, index: indexOf(answer) };
  }
}

/** Throws the RegistryError that an answer other than 200 stands for. */
export function mustBeOk({ status, text }: HttpAnswer): void {
  if (status === 200) return;
  const message = `consul: ${status} ${text.slice(0, 200).trim()}`;
  // A server that starts with access rules refuses everything until it has a leader.
  if (/ACL system must be bootstrapped/i.test(text)) {
    throw new RegistryError('registry_unavailable', message);
  }
  // Old versions answer 500 for what is refused; the text is the same.
  if (status === 401 || status === 403 || /permission denied|acl not found/i.test(text)) {
    throw new RegistryError('registry_auth', message);
  }
  const isBusy = status === 429 || status >= 500;
  throw new RegistryError(isBusy ? 'registry_unavailable' : 'registry_invalid', message);
}

function silenceMsOf(waitMs: number): number {
  const graceMs = Math.min(grace.maxMs, Math.max(grace.minMs, waitMs * grace.part));
  return waitMs * (1 + waitJitter) + graceMs;
}

function pathOf(path: string, name: string, query: Query): string {
  const search = new URLSearchParams(query).toString();
  return `${path}${encodeURIComponent(name)}${search === '' ? '' : `?${search}`}`;
}

function headersFor(token: PasswordSource): Readonly<Record<string, string>> {
  try {
    const text = passwordOf(token);
    return text === undefined || text === '' ? {} : { 'x-consul-token': text };
  } catch (error) {
    const message = `consul: token-file: ${messageOf(error)}`;
    throw new RegistryError('registry_auth', message, { cause: error });
  }
}

function indexOf({ headers }: HttpAnswer): number {
  const index = Number(headers['x-consul-index']);
  if (Number.isSafeInteger(index)) return Math.max(1, index);
  throw new RegistryError('registry_invalid', 'consul: an answer without X-Consul-Index');
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RegistryError('registry_invalid', 'consul: an answer that is no JSON');
  }
}

function isEmpty(body: unknown): boolean {
  return typeof body !== 'object' || body === null || Object.keys(body).length === 0;
}
