// The calls to the API server: lists, watches and writes, with the meaning of its statuses.
import { RegistryError } from '../../../core/errors.ts';
import { HttpClient, type HttpAnswer, type HttpRequest } from '../../http-client.ts';
import { passwordOf } from '../../password.ts';
import { fieldsOf, listOf, textOf } from './fields.ts';
import type { KubernetesLocation } from './location.ts';

export interface ObjectList {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** The server's clock, in ms and precise to the second; NaN when it does not say. */
  readonly serverMs: number;
}

export type WatchEvent =
  | { readonly kind: 'put' | 'removed'; readonly object: unknown; readonly resourceVersion: string }
  /** Nothing happened up to this version. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

/** `path` below the server's root, `selector` a label selector. */
export interface Collection {
  readonly path: string;
  readonly selector?: string;
}

/** Labels and the like, without what the objects contain. */
const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const pageSize = 500;
/** A list of more pages is none that an agent can follow. */
const pagesMax = 200;
/** A slice has at most 1,000 endpoints. */
const eventBytesMax = 8 * 1024 * 1024;
/** A server that has not ended a watch so long after its time is out of reach: nothing else has to come meanwhile. */
const watchEndMs = 5000;

export class KubernetesApi {
  readonly #client: HttpClient;

  constructor({ server, tls, token }: Pick<KubernetesLocation, 'server' | 'tls' | 'token'>) {
    this.#client = new HttpClient({
      servers: [server],
      ...(tls !== undefined && { tls }),
      headers: () => authorization(token),
    });
  }

  /** As it is now, not as a cache of the server has it. `registry_compacted` when it changed too much between two pages. */
  async list(
    collection: Collection,
    signal: AbortSignal,
    options: { readonly metadataOnly?: boolean } = {},
  ): Promise<ObjectList> {
    const items: unknown[] = [];
    let from: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const path = pathOf(collection, { limit: pageSize, continue: from });
      const accept = options.metadataOnly === true ? metadataOnly : 'application/json';
      const answer = await this.#request({ method: 'GET', path, headers: { accept } }, signal);
      const list = parseJson(answer.text);
      items.push(...listOf(list['items']));
      const metadata = fieldsOf(list['metadata']);
      from = textOf(metadata['continue']);
      if (from !== undefined) continue;
      const resourceVersion = textOf(metadata['resourceVersion']);
      if (resourceVersion === undefined) throw senseless(answer.text);
      return { items, resourceVersion, serverMs: Date.parse(answer.headers.date ?? '') };
    }
    throw new RegistryError('registry_invalid', `${collection.path}: too long a list`);
  }

  /**
   * The events after `resourceVersion`; ends when the server has had enough, after about `watchMs`. Throws
   * `registry_compacted` when events since that version are not known any more.
   */
  async *watch(
    collection: Collection,
    { resourceVersion, watchMs }: { readonly resourceVersion: string; readonly watchMs: number },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const path = pathOf(collection, {
      watch: 1,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds: Math.ceil(watchMs / 1000),
    });
    const silenceMs = watchMs + watchEndMs;
    const headers = { accept: 'application/json' };
    const stream = await this.#client.stream(
      { method: 'GET', path, headers, silenceMs, bytesMax: eventBytesMax },
      signal,
    );
    if (stream.status !== 200) {
      const { value } = await stream.lines.next();
      await stream.lines.return();
      throw failureOf(stream.status, messageIn(value ?? ''));
    }
    for await (const line of stream.lines) yield parseEvent(line);
  }

  /** Makes the object be as given, whether it exists or not. The fields that others own are left as they are. */
  async apply(path: string, object: object, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(object);
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    await this.#request(
      { method: 'PATCH', path: `${path}?fieldManager=outrigger&force=true`, headers, body },
      signal,
    );
  }

  /** Changes some fields of an object. False when there is no such object. */
  async patch(path: string, fields: object, signal: AbortSignal): Promise<boolean> {
    const body = JSON.stringify(fields);
    const headers = { 'content-type': 'application/merge-patch+json' };
    return this.#exists({ method: 'PATCH', path, headers, body }, signal);
  }

  async exists(path: string, signal: AbortSignal): Promise<boolean> {
    const headers = { accept: `${metadataOnly.replace('List', '')}, application/json` };
    return this.#exists({ method: 'GET', path, headers }, signal);
  }

  /** Only while it has that version, if one is given. True when it is gone, false when it has another one. */
  async remove(
    path: string,
    resourceVersion: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const body = JSON.stringify({
      ...(resourceVersion !== undefined && { preconditions: { resourceVersion } }),
    });
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#client.request({ method: 'DELETE', path, headers, body }, signal);
    if (resourceVersion !== undefined && answer.status === 409) return false;
    if (answer.status !== 404) mustBeGood(answer);
    return true;
  }

  close(): void {
    this.#client.close();
  }

  async #exists(request: HttpRequest, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#client.request(request, signal);
    if (answer.status === 404) return false;
    mustBeGood(answer);
    return true;
  }

  async #request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = await this.#client.request(request, signal);
    mustBeGood(answer);
    return answer;
  }
}

function authorization(token: KubernetesLocation['token']): Readonly<Record<string, string>> {
  let text: string | undefined;
  try {
    text = passwordOf(token);
  } catch (error) {
    throw new RegistryError('registry_auth', 'the token file cannot be read', { cause: error });
  }
  return text === undefined ? {} : { authorization: `Bearer ${text}` };
}

function pathOf(
  { path, selector }: Collection,
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const query = new URLSearchParams();
  if (selector !== undefined) query.set('labelSelector', selector);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return `${path}?${query.toString()}`;
}

function parseEvent(line: string): WatchEvent {
  const event = parseJson(line);
  const object = fieldsOf(event['object']);
  if (event['type'] === 'ERROR') {
    throw failureOf(Number(object['code']), textOf(object['message']) ?? 'the watch failed');
  }
  const resourceVersion = textOf(fieldsOf(object['metadata'])['resourceVersion']);
  const kind = kinds.get(textOf(event['type']) ?? '');
  if (kind === undefined || resourceVersion === undefined) throw senseless(line);
  return { kind, object, resourceVersion };
}

const kinds: ReadonlyMap<string, WatchEvent['kind']> = new Map([
  ['ADDED', 'put'],
  ['MODIFIED', 'put'],
  ['DELETED', 'removed'],
  ['BOOKMARK', 'bookmark'],
]);

function mustBeGood({ status, text }: HttpAnswer): void {
  if (status < 200 || status > 299) throw failureOf(status, messageIn(text));
}

function failureOf(status: number, message: string): RegistryError {
  const text = `${status}: ${message}`;
  switch (status) {
    case 401:
    case 403:
      return new RegistryError('registry_auth', text);
    case 410:
      return new RegistryError('registry_compacted', text);
    case 409:
    case 429:
      return new RegistryError('registry_unavailable', text);
    default:
      return new RegistryError(status >= 500 ? 'registry_unavailable' : 'registry_invalid', text);
  }
}

/** Of a Status object, or of what a proxy may answer instead. */
function messageIn(body: string): string {
  try {
    return textOf(fieldsOf(JSON.parse(body))['message']) ?? '';
  } catch {
    return body.slice(0, 200);
  }
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    throw senseless(text);
  }
}

function senseless(text: string): RegistryError {
  return new RegistryError(
    'registry_invalid',
    `not an answer of an API server: ${text.slice(0, 100)}`,
  );
}
