// The calls of Eureka's REST interface, and what its statuses mean.
import { messageOf, RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import { HttpClient, type HttpAnswer, type HttpRequest } from '../../http-client.ts';
import { passwordOf } from '../../password.ts';
import { parseList, type EurekaList } from './answers.ts';
import type { EurekaLocation } from './location.ts';
import { appOf, eurekaIdOf } from './record.ts';

/** Of the whole list and of the changes, which nobody else limits: a slow answer may take longer as long as it comes. */
const silenceMs = 4000;

/** Every call may be repeated. */
export class EurekaCalls {
  readonly #location: EurekaLocation;
  readonly #client: HttpClient;

  constructor(location: EurekaLocation) {
    this.#location = location;
    this.#client = new HttpClient({
      servers: location.servers,
      ...(location.tls !== undefined && { tls: location.tls }),
      headers: () => headersFor(location),
    });
  }

  async register(service: string, body: string, signal: AbortSignal): Promise<void> {
    const path = `/apps/${encodeURIComponent(appOf(service))}`;
    const headers = { 'content-type': 'application/json' };
    this.#expect(await this.#call('POST', path, signal, { body, headers }), [200, 204]);
  }

  /** False when the server has no such instance, or an older record than the one of `writtenAtMs`. */
  async renew(instance: Instance, writtenAtMs: number, signal: AbortSignal): Promise<boolean> {
    const query = `?status=UP&lastDirtyTimestamp=${writtenAtMs}`;
    return this.#change('PUT', `${pathOf(instance)}${query}`, signal);
  }

  /** Sets a status that outlives registrations until it is cleared. False when there is no such instance. */
  async takeOutOfService(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#change('PUT', `${pathOf(instance)}/status?value=OUT_OF_SERVICE`, signal);
  }

  async putBackInService(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#change('DELETE', `${pathOf(instance)}/status?value=UP`, signal);
  }

  async deregister(instance: Instance, signal: AbortSignal): Promise<boolean> {
    return this.#change('DELETE', pathOf(instance), signal);
  }

  async all(signal: AbortSignal): Promise<EurekaList> {
    const answer = await this.#call('GET', '/apps', signal, { silenceMs });
    // A server that has just started has nothing to tell until its peers have, or until it has waited long enough.
    if (answer.status === 403) throw this.#unavailable(answer);
    this.#expect(answer, [200]);
    return parseList(answer.text, this.#location.vip);
  }

  /** What changed in the last minutes. Undefined when the server does not tell: it is warming up, or its changes are turned off. */
  async changes(signal: AbortSignal): Promise<EurekaList | undefined> {
    const answer = await this.#call('GET', '/apps/delta', signal, { silenceMs });
    if (answer.status === 403 || answer.status === 404) return undefined;
    this.#expect(answer, [200]);
    return parseList(answer.text, this.#location.vip);
  }

  /** Undefined when there is no such application. */
  async application(app: string, signal: AbortSignal): Promise<EurekaList | undefined> {
    const answer = await this.#call('GET', `/apps/${encodeURIComponent(app)}`, signal);
    if (answer.status === 404) return undefined;
    if (answer.status === 403) throw this.#unavailable(answer);
    this.#expect(answer, [200]);
    return parseList(answer.text, this.#location.vip);
  }

  close(): void {
    this.#client.close();
  }

  async #change(method: string, path: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#call(method, path, signal);
    if (answer.status === 404) return false;
    this.#expect(answer, [200, 204]);
    return true;
  }

  async #call(
    method: string,
    path: string,
    signal: AbortSignal,
    more: Partial<HttpRequest> = {},
  ): Promise<HttpAnswer> {
    const request = { ...more, method, path: `${this.#location.path}${path}` };
    const answer = await this.#client.request(request, signal);
    if (answer.status >= 500) throw this.#unavailable(answer);
    return answer;
  }

  #expect({ status, text }: HttpAnswer, expected: readonly number[]): void {
    if (expected.includes(status)) return;
    const code = status === 401 || status === 403 ? 'registry_auth' : 'registry_invalid';
    throw new RegistryError(code, `eureka: status ${status} ${text.slice(0, 200)}`.trim());
  }

  #unavailable({ status, text }: HttpAnswer): RegistryError {
    this.#client.leaveServer();
    const message = `eureka: status ${status} ${text.slice(0, 200)}`.trim();
    return new RegistryError('registry_unavailable', message);
  }
}

function pathOf({ service, id }: Instance): string {
  return `/apps/${encodeURIComponent(appOf(service))}/${encodeURIComponent(eurekaIdOf(id))}`;
}

function headersFor({ user, password: source }: EurekaLocation): Readonly<Record<string, string>> {
  const accept = { accept: 'application/json' };
  if (source.kind === 'none') return accept;
  try {
    const login = Buffer.from(`${user}:${passwordOf(source) ?? ''}`).toString('base64');
    return { ...accept, authorization: `Basic ${login}` };
  } catch (error) {
    const message = `eureka: password-file: ${messageOf(error)}`;
    throw new RegistryError('registry_auth', message, { cause: error });
  }
}
