// The registry in Consul: services of the local agent with a check that we renew, and the catalog by blocking queries.
import { RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import type { HttpAnswer } from '../../http-client.ts';
import { Slots } from '../../slots.ts';
import { ConsulAgent, mustBeOk } from './agent.ts';
import { Follower, type HealthList } from './follower.ts';
import { parseLocation, type ConsulLocation } from './location.ts';
import { Maintenance } from './maintenance.ts';
import { parseVersion, readingFrom } from './reading.ts';
import { Return } from './return.ts';
import { checkIdOf, registrationOf, serviceIdOf } from './record.ts';

/**
 * Opens `consul:`, `consul+https:` and `consul+unix:` URLs; throws a ConfigError for one that cannot work. Connects at first
 * use.
 */
export function openConsul(url: string, deps: DriverDeps): Driver {
  const location = parseLocation(url);
  return new ConsulDriver({ ...deps, agent: new ConsulAgent(location) }, location);
}

/** A release is no more than an absence here, so several at once are believed only when they are read again. */
const propagationMs = 3000;
/** An agent takes 200 connections from one address, and other programs have some. */
const blockingMax = 120;
/**
 * Registering takes two requests. Were more than these begun at once, a thousand instances would all be half registered when
 * their time is over.
 */
const acquiringMax = 8;
/** Services beyond those are asked for so often. */
const pollMs = 5000;
/** Constant, since another text would be a write to the catalog. */
const renewal = { Status: 'passing', Output: 'renewed by outrigger' };
/** The servers themselves, whose port speaks no protocol of applications. */
const ownService = 'consul';

class ConsulDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #agent: ConsulAgent;
  readonly #location: ConsulLocation;
  /** The last index of each service that was followed. */
  readonly #seen = new Map<string, number>();
  readonly #return: Return;
  readonly #acquiring = new Slots(acquiringMax);
  readonly #maintenance: Maintenance;
  #blocking = 0;

  constructor(deps: DriverDeps & { readonly agent: ConsulAgent }, location: ConsulLocation) {
    const { ttlMs, heartbeatMs } = location;
    this.#deps = deps;
    this.#agent = deps.agent;
    this.#location = location;
    this.#return = new Return(deps.clock, { leaseMs: ttlMs });
    this.#maintenance = new Maintenance({
      logger: deps.logger,
      askHealth: ({ id }, signal) =>
        this.#agent.ask('/v1/agent/health/service/id/', serviceIdOf(id), signal),
    });
    this.url = location.url;
    this.capabilities = {
      ttlMs,
      heartbeatMs,
      propagationMs,
      advertise: 'first-address',
      registers: true,
    };
  }

  acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    return this.#acquiring.use(() => this.#register(instance, ttlMs, signal), signal);
  }

  async renew(instance: Instance, _ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const answer = await this.#renew(instance, signal);
    if (answer === 'ok') await this.#maintenance.look(instance, signal);
    return answer;
  }

  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    const id = serviceIdOf(instance.id);
    this.#maintenance.forget(instance);
    const answer = await this.#agent.put('/v1/agent/service/deregister/', id, signal);
    if (!isUnknown(answer)) mustBeOk(answer);
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    const answer = await this.#listAfter(service, 0, signal);
    const reading = readingFrom(service, answer);
    const seen = this.#seen.get(service);
    const isReset = answer.isReturn || (seen !== undefined && answer.index < seen);
    return isReset ? { ...reading, reset: true } : reading;
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const isPolled = this.#blocking >= blockingMax;
    const follower = new Follower(
      {
        clock,
        random,
        sink,
        listAfter: (index, ending) => this.#listAfter(service, index, ending),
      },
      { service, from, ...(isPolled && { pollMs }) },
    );
    this.#seen.set(service, parseVersion(from.version).index);
    if (!isPolled) this.#blocking++;
    try {
      await follower.run(signal);
    } finally {
      if (!isPolled) this.#blocking--;
      this.#seen.set(service, follower.index);
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const { body } = await this.#agent.list('/v1/catalog/', 'services', {}, signal);
    if (typeof body !== 'object' || body === null) {
      throw new RegistryError('registry_invalid', 'consul: an answer that is no list of services');
    }
    const { tag } = this.#location;
    return Object.entries(body as Readonly<Record<string, unknown>>)
      .filter(([name]) => name !== ownService && parseServiceName(name) === name)
      .filter(([, tags]) => tag === undefined || (Array.isArray(tags) && tags.includes(tag)))
      .map(([name]) => name)
      .sort();
  }

  close(): Promise<void> {
    this.#agent.close();
    this.#seen.clear();
    return Promise.resolve();
  }

  async #register(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    // Without replacing, checks of an earlier registration would stay and turn critical.
    const query = { 'replace-existing-checks': 'true' };
    const body = registrationOf(instance, ttlMs, this.#location);
    mustBeOk(await this.#agent.put('/v1/agent/service/', 'register', signal, { query, body }));
    // The agent keeps the status of a check that it has already, which may be critical.
    if ((await this.#renew(instance, signal)) === 'ok') return;
    throw new RegistryError('registry_unavailable', 'consul: the agent lost the registration');
  }

  async #renew(instance: Instance, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const answer =
      this.#location.check === 'http'
        ? await this.#agent.ask('/v1/agent/service/', serviceIdOf(instance.id), signal)
        : await this.#agent.put('/v1/agent/check/update/', checkIdOf(instance.id), signal, {
            body: renewal,
          });
    if (isUnknown(answer)) return 'gone';
    mustBeOk(answer);
    return 'ok';
  }

  /** At once for `index` 0. */
  async #listAfter(service: string, index: number, signal: AbortSignal): Promise<HealthList> {
    const path = '/v1/health/service/';
    try {
      const list =
        index === 0
          ? await this.#agent.list(path, service, this.#query(), signal)
          : await this.#agent.listAfter(
              path,
              service,
              { ...this.#query(), index: String(index) },
              signal,
            );
      return { ...list, isReturn: this.#return.answered() };
    } catch (error) {
      if (isOutage(error, signal)) this.#return.failed();
      throw error;
    }
  }

  /** An instance in maintenance has a critical check, and so has each of a node in maintenance or that is not reached. */
  #query(): Readonly<Record<string, string>> {
    const { tag } = this.#location;
    return { passing: '1', ...(tag !== undefined && { tag }) };
  }
}

/** Versions differ in the status that says it. */
function isUnknown({ status, text }: HttpAnswer): boolean {
  if (status === 404) return true;
  return status === 500 && /unknown (?:check|service)|does not have associated TTL/i.test(text);
}

/** A caller that lost interest says nothing about the agent; one that had waited long enough does. */
function isOutage(error: unknown, signal: AbortSignal): boolean {
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (!(cause instanceof RegistryError)) return false;
  return signal.aborted ? cause.code === 'registry_timeout' : cause.code !== 'registry_auth';
}
