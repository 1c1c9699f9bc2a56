// The endpoints of the admin API: one table, and what each answers.
import type { Clock } from '../core/clock.ts';
import { RegistryError } from '../core/errors.ts';
import { nearest, parseServiceName } from '../core/service-name.ts';
import type { DrainDocument } from './documents.ts';
import { serviceDocument, servicesDocument, statusDocument } from './documents.ts';
import { jsonReply, RequestRefusal, textReply, type Reply } from './reply.ts';
import type { AgentView, FailureStatus } from './view.ts';

/** One request as its endpoint sees it. */
export interface Ask {
  readonly view: AgentView;
  readonly clock: Clock;
  /** The service named in the path; empty where the path names none. */
  readonly service: string;
  readonly query: URLSearchParams;
  /** Aborts when the caller is gone or the answer takes too long. */
  readonly signal: AbortSignal;
}

interface AdminEndpoint {
  /** GET also stands for HEAD. */
  readonly method: 'GET' | 'POST';
  /** `:name` stands for a service name. */
  readonly path: string;
  readonly says: string;
  readonly answer: (ask: Ask) => Reply | Promise<Reply>;
}

const endpoints: readonly AdminEndpoint[] = [
  { method: 'GET', path: '/', says: 'this list', answer: index },
  { method: 'GET', path: '/livez', says: '200 while the agent runs', answer: live },
  { method: 'GET', path: '/readyz', says: '200 when ready, else 503 with reasons', answer: ready },
  { method: 'GET', path: '/metrics', says: 'Prometheus metrics', answer: metrics },
  { method: 'GET', path: '/v1/status', says: 'the whole agent in brief', answer: status },
  { method: 'GET', path: '/v1/services', says: 'names of all known services', answer: services },
  { method: 'GET', path: '/v1/services/:name', says: 'instances of a service', answer: service },
  {
    method: 'GET',
    path: '/v1/explain/:name',
    says: 'who would be called; ?tag=',
    answer: explain,
  },
  {
    method: 'POST',
    path: '/v1/drain',
    says: 'leave the registry, finish, and exit',
    answer: drain,
  },
];

/** Texts in a query are echoed, so they are bounded. */
const queryLengthMax = 2048;

/** Finds the endpoint and answers. Throws a RequestRefusal for what nothing answers to. */
export function answer(
  method: string,
  path: string,
  ask: Omit<Ask, 'service'>,
): Reply | Promise<Reply> {
  const slash = path.lastIndexOf('/') + 1;
  const general = `${path.slice(0, slash)}:name`;
  const endpoint = endpoints.find((entry) => entry.path === path || entry.path === general);
  if (endpoint === undefined) {
    const paths = endpoints.map((entry) => entry.path);
    throw new RequestRefusal(404, 'not_found', 'there is no such path', paths);
  }
  const allowed = endpoint.method === 'GET' ? ['GET', 'HEAD'] : ['POST'];
  if (!allowed.includes(method)) {
    const message = `${endpoint.path} takes ${allowed.join(' or ')} only`;
    throw new RequestRefusal(405, 'method_not_allowed', message, allowed);
  }
  const named = endpoint.path === general;
  return endpoint.answer({ ...ask, service: named ? readServiceName(path.slice(slash)) : '' });
}

function readServiceName(segment: string): string {
  const name = parseServiceName(segment);
  if (name === undefined) throw new RequestRefusal(400, 'bad_request', 'this is no service name');
  return name;
}

function index(): Reply {
  const lines = endpoints.map(
    ({ method, path, says }) => `${method.padEnd(5)} ${path.padEnd(20)} ${says}\n`,
  );
  return textReply(lines.join(''));
}

function live(): Reply {
  return jsonReply(200, { live: true });
}

function ready({ view }: Ask): Reply {
  const readiness = view.ready();
  return jsonReply(readiness.ready ? 200 : 503, readiness);
}

async function metrics({ view, clock }: Ask): Promise<Reply> {
  // Most agents of a laptop are never scraped.
  const { measureProcess, renderMetrics } = await import('./metrics.ts');
  await view.refresh();
  return textReply(renderMetrics(view, await measureProcess(clock)), ' version=0.0.4;');
}

async function status({ view }: Ask): Promise<Reply> {
  await view.refresh();
  return jsonReply(200, statusDocument(view));
}

async function services({ view, signal }: Ask): Promise<Reply> {
  const [names] = await Promise.all([orFailure(view.names(signal)), view.refresh()]);
  return jsonReply(200, servicesDocument(names.value ?? [], view, names.failure));
}

async function service({ view, service: name, signal }: Ask): Promise<Reply> {
  const [reading] = await Promise.all([orFailure(view.instances(name, signal)), view.refresh()]);
  const used = view.usedServices().find((entry) => entry.service === name);
  const instances = reading.value?.instances ?? [];
  if (used === undefined && reading.failure !== null) throw registryRefusal(reading.failure);
  if (used === undefined && instances.length === 0) await requireKnown(name, view, signal);
  const answered = { instances, malformed: reading.value?.malformed ?? 0 };
  return jsonReply(200, serviceDocument(name, answered, used, reading.failure));
}

async function explain({ view, service: name, query, signal }: Ask): Promise<Reply> {
  const call = { tag: queryText(query, 'tag') };
  const explanation = await orFailure(view.explain(name, call, signal));
  if (explanation.failure !== null) throw registryRefusal(explanation.failure);
  if (explanation.value === undefined) throw await unknownService(name, view, signal);
  return jsonReply(200, explanation.value);
}

function drain({ view }: Ask): Reply {
  view.drain();
  const document: DrainDocument = { life: view.life() };
  return jsonReply(202, document);
}

function queryText(query: URLSearchParams, key: string): string | null {
  const text = query.get(key);
  if (text !== null && text.length > queryLengthMax) {
    throw new RequestRefusal(400, 'bad_request', `"${key}" is longer than ${queryLengthMax}`);
  }
  return text === '' ? null : text;
}

interface Outcome<T> {
  readonly value?: T;
  readonly failure: FailureStatus | null;
}

/** A registry that cannot be asked is a part of the answer; any other error is a bug and passes through. */
async function orFailure<T>(pending: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await pending, failure: null };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { failure: { code: error.code, message: error.message } };
  }
}

function registryRefusal({ code, message }: FailureStatus): RequestRefusal {
  return new RequestRefusal(503, code, `the registry cannot be asked: ${message}`);
}

/** A service without instances may still have a name; what is called by no name at all is unknown. */
async function requireKnown(name: string, view: AgentView, signal: AbortSignal): Promise<void> {
  const known = await knownNames(view, signal);
  if (!known.includes(name)) throw noSuchService(name, known);
}

async function unknownService(
  name: string,
  view: AgentView,
  signal: AbortSignal,
): Promise<RequestRefusal> {
  return noSuchService(name, await knownNames(view, signal));
}

async function knownNames(view: AgentView, signal: AbortSignal): Promise<readonly string[]> {
  const names = await orFailure(view.names(signal));
  return servicesDocument(names.value ?? [], view, null).services.map((entry) => entry.name);
}

function noSuchService(name: string, known: readonly string[]): RequestRefusal {
  const near = nearest(name, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  const message = `no service is called "${name}"${hint}`;
  return new RequestRefusal(404, 'no_such_service', message, near === undefined ? [] : [near]);
}
