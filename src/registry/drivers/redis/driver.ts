// The registry in Redis: instances in a hash, leases in a sorted set, a version, and changes that are pushed.
import { RegistryError } from '../../../core/errors.ts';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { untilAborted } from './connection.ts';
import { Follower } from './follower.ts';
import { channelOf, namesKeyOf, namesKeys, serviceKeys, type NamesKey } from './keys.ts';
import type { RedisSettings } from './location.ts';
import { isWrongType } from './redis-errors.ts';
import { loadScripts, runScript, type ScriptName, type Scripts } from './scripts.ts';
import { serversOf, type Servers } from './servers.ts';
import {
  isReset,
  nothingKnown,
  parseSnapshotReply,
  parseVersion,
  readingOf,
  type SnapshotReply,
  type Version,
} from './service-list.ts';
import type { Topology } from './topology.ts';

/**
 * Opens `redis:`, `redis+sentinel:` and `redis+cluster:` URLs, and the same with `rediss`; throws a ConfigError for one that
 * cannot work. Connects at first use.
 */
export function openRedis(url: string, deps: DriverDeps): Driver {
  return new RedisDriver(deps, serversOf(url, deps));
}

/** Followers hear of a release at once; the rest is what their machines and a missed message may take. */
const propagationMs = 1000;
/** More names than this are not listed. */
const namesMax = 100_000;
const namesPage = 500;

class RedisDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #topology: Topology;
  readonly #settings: RedisSettings;
  readonly #scripts: Scripts;
  readonly #namesSets: number;
  /** Of each service that was followed and known to the server: what the follower saw last. */
  readonly #seen = new Map<string, Version>();

  constructor(deps: DriverDeps, { topology, settings, publish, namesSets }: Servers) {
    this.#deps = deps;
    this.#topology = topology;
    this.#settings = settings;
    this.#scripts = loadScripts(publish);
    this.#namesSets = namesSets;
    this.url = settings.url;
    this.capabilities = {
      ttlMs: settings.ttlMs,
      heartbeatMs: settings.heartbeatMs,
      propagationMs,
      advertise: 'first-address',
      registers: true,
    };
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const { service, id } = instance;
    await this.#run(
      'register',
      service,
      [id, formatInstance(instance), milliseconds(ttlMs)],
      signal,
    );
    await this.#names('SADD', this.#namesKeyOf(service), [service], signal);
  }

  async renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const args = [milliseconds(ttlMs), instance.id];
    const gone = await this.#run('renew', instance.service, args, signal);
    return Array.isArray(gone) && gone.length === 0 ? 'ok' : 'gone';
  }

  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    const remaining = await this.#run('deregister', instance.service, [instance.id], signal);
    if (remaining === 0) await this.#forgetName(instance.service, signal);
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    const { version, list } = await this.#look(service, nothingKnown, signal);
    const reading = readingOf(service, version, list ?? { records: [], left: [] });
    const seen = this.#seen.get(service);
    return seen !== undefined && isReset(seen, version) ? { ...reading, reset: true } : reading;
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    this.#remember(service, parseVersion(from.version));
    try {
      const follower = await this.#follower(service, from, sink, signal);
      await follower.run(signal).finally(() => {
        this.#remember(service, follower.version);
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const key of namesKeys(this.#settings.prefix, this.#namesSets)) {
      let cursor = '0';
      do {
        const page = await this.#namesPage(key, cursor, signal);
        // A scan may give a name twice.
        for (const name of page.names) names.add(name);
        cursor = page.cursor;
      } while (cursor !== '0' && names.size < namesMax);
    }
    return [...names].sort();
  }

  async close(): Promise<void> {
    await this.#topology.close();
    this.#seen.clear();
  }

  async #follower(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<Follower> {
    const { clock, random } = this.#deps;
    const { prefix, database, ttlMs } = this.#settings;
    const subscriptions = await this.#topology.subscriptions(service, signal);
    const look = async (known: Version, lookSignal: AbortSignal): Promise<SnapshotReply> => {
      const reply = await this.#look(service, known, lookSignal);
      if ((await this.#topology.subscriptions(service, lookSignal)) === subscriptions) return reply;
      throw new RegistryError('registry_unavailable', 'redis: another server has the service now');
    };
    return new Follower(
      { clock, random, sink, subscriptions, look },
      { service, from, ttlMs, channel: channelOf(prefix, service, database) },
    );
  }

  #remember(service: string, version: Version): void {
    if (version.epoch !== nothingKnown.epoch) this.#seen.set(service, version);
  }

  async #namesPage(
    key: NamesKey,
    cursor: string,
    signal: AbortSignal,
  ): Promise<{ readonly cursor: string; readonly names: readonly string[] }> {
    const args = [cursor, 'COUNT', String(namesPage)];
    const reply = await this.#names('SSCAN', key, args, signal);
    const [next, members] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    const listed = (Array.isArray(members) ? members : []).filter(
      (name): name is string => typeof name === 'string' && parseServiceName(name) === name,
    );
    const counts = await untilAborted(Promise.all(listed.map((name) => this.#count(name))), signal);
    const empty = listed.filter((_name, index) => counts[index] === 0);
    for (const name of empty) await this.#forgetName(name, signal);
    return {
      cursor: typeof next === 'string' ? next : '0',
      names: listed.filter((_name, index) => counts[index] !== 0 && counts[index] !== undefined),
    };
  }

  /** Removes the name of an empty service, and puts it back if the service was registered meanwhile. */
  async #forgetName(service: string, signal: AbortSignal): Promise<void> {
    const key = this.#namesKeyOf(service);
    await this.#names('SREM', key, [service], signal);
    const count = await untilAborted(this.#count(service), signal);
    if (count !== 0) await this.#names('SADD', key, [service], signal);
  }

  /** How many instances a service has; undefined where foreign keys are in their place. */
  async #count(service: string): Promise<unknown> {
    try {
      return await this.#run('count', service, []);
    } catch (error) {
      if (isWrongType(error)) return undefined;
      throw error;
    }
  }

  async #look(service: string, known: Version, signal: AbortSignal): Promise<SnapshotReply> {
    return parseSnapshotReply(
      await this.#run('snapshot', service, [known.epoch, known.number], signal),
    );
  }

  #run(
    script: ScriptName,
    service: string,
    args: readonly string[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { prefix, database } = this.#settings;
    const keys = serviceKeys(prefix, service, database);
    return this.#topology.use(
      service,
      (port) => runScript(port, this.#scripts[script], keys, args),
      signal,
    );
  }

  /** One command on a set of names. */
  #names(
    command: string,
    { key, tag }: NamesKey,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#topology.use(tag, (port) => port.command(command, [key, ...args]), signal);
  }

  #namesKeyOf(service: string): NamesKey {
    return namesKeyOf(this.#settings.prefix, this.#namesSets, service);
  }
}

function milliseconds(durationMs: number): string {
  return String(Math.round(durationMs));
}
