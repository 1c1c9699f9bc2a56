// The registry in Redis: instances in a hash, leases in a sorted set, a version, and changes that are pushed.
import { formatInstance, type Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import { Follower } from './follower.ts';
import { channelOf, namesKey, serviceKeys } from './keys.ts';
import { parseLocation, type RedisLocation } from './location.ts';
import { loadScripts, runScript, type ScriptName, type Scripts } from './scripts.ts';
import {
  isReset,
  nothingKnown,
  parseSnapshotReply,
  parseVersion,
  readingOf,
  type SnapshotReply,
  type Version,
} from './service-list.ts';
import { singleServer } from './single-server.ts';
import { Subscriptions } from './subscriptions.ts';

/** Opens `redis:` and `rediss:` URLs; throws a ConfigError for one that cannot work. Connects at first use. */
export function openRedis(url: string, deps: DriverDeps): Driver {
  const location = parseLocation(url);
  return new RedisDriver({ ...deps, open: singleServer(location) }, location, loadScripts());
}

/** Followers hear of a release at once; the rest is what their machines and a missed message may take. */
const propagationMs = 1000;
/** For making a connection, and for an answer; callers may have less patience. */
const timeoutMs = 2000;
/** More names than this are not listed. */
const namesMax = 100_000;
const namesPage = 500;

const noEvents = { message: (): void => undefined, lost: (): void => undefined };

class RedisDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: ConnectionDeps;
  readonly #location: RedisLocation;
  readonly #scripts: Scripts;
  readonly #commands: Connection;
  readonly #subscriptions: Subscriptions;
  /** Of each service that was followed and known to the server: what the follower saw last. */
  readonly #seen = new Map<string, Version>();

  constructor(deps: ConnectionDeps, location: RedisLocation, scripts: Scripts) {
    this.#deps = deps;
    this.#location = location;
    this.#scripts = scripts;
    const pingEveryMs = location.heartbeatMs;
    this.#commands = new Connection(deps, noEvents, { timeoutMs });
    this.#subscriptions = new Subscriptions(deps, { timeoutMs, pingEveryMs });
    this.url = location.url;
    this.capabilities = {
      ttlMs: location.ttlMs,
      heartbeatMs: location.heartbeatMs,
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
    await this.#command('SADD', [namesKey(this.#location.prefix), service], signal);
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
    const { clock, random } = this.#deps;
    const { prefix, database, ttlMs } = this.#location;
    const follower = new Follower(
      {
        clock,
        random,
        sink,
        subscriptions: this.#subscriptions,
        look: (known, lookSignal) => this.#look(service, known, lookSignal),
      },
      { service, from, ttlMs, channel: channelOf(prefix, service, database) },
    );
    this.#remember(service, parseVersion(from.version));
    try {
      await follower.run(signal);
    } finally {
      this.#remember(service, follower.version);
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const names: string[] = [];
    let cursor = '0';
    do {
      const page = await this.#namesPage(cursor, signal);
      const counts = await this.#counts(page.names, signal);
      for (const [index, name] of page.names.entries()) {
        if (counts[index] === 0) await this.#forgetName(name, signal);
        else names.push(name);
      }
      cursor = page.cursor;
    } while (cursor !== '0' && names.length < namesMax);
    // A scan may give a name twice.
    return [...new Set(names)].sort();
  }

  async close(): Promise<void> {
    await Promise.all([this.#commands.close(), this.#subscriptions.close()]);
    this.#seen.clear();
  }

  #remember(service: string, version: Version): void {
    if (version.epoch !== nothingKnown.epoch) this.#seen.set(service, version);
  }

  async #namesPage(
    cursor: string,
    signal: AbortSignal,
  ): Promise<{ readonly cursor: string; readonly names: readonly string[] }> {
    const args = [namesKey(this.#location.prefix), cursor, 'COUNT', String(namesPage)];
    const reply = await this.#command('SSCAN', args, signal);
    const [next, members] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    return {
      cursor: typeof next === 'string' ? next : '0',
      names: (Array.isArray(members) ? members : []).filter(
        (name): name is string => typeof name === 'string' && parseServiceName(name) === name,
      ),
    };
  }

  /** Removes the name of an empty service, and puts it back if the service was registered meanwhile. */
  async #forgetName(service: string, signal: AbortSignal): Promise<void> {
    const key = namesKey(this.#location.prefix);
    await this.#command('SREM', [key, service], signal);
    const [count] = await this.#counts([service], signal);
    if (count !== 0) await this.#command('SADD', [key, service], signal);
  }

  async #counts(services: readonly string[], signal: AbortSignal): Promise<readonly unknown[]> {
    const script = this.#scripts.count;
    return this.#commands.use((port) => {
      return Promise.all(
        services.map((service) => runScript(port, script, this.#keys(service), [])),
      );
    }, signal);
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
    signal: AbortSignal,
  ): Promise<unknown> {
    const keys = this.#keys(service);
    return this.#commands.use((port) => runScript(port, this.#scripts[script], keys, args), signal);
  }

  #keys(service: string): readonly string[] {
    const { prefix, database } = this.#location;
    return serviceKeys(prefix, service, database);
  }

  #command(name: string, args: readonly string[], signal: AbortSignal): Promise<unknown> {
    return this.#commands.use((port) => port.command(name, args), signal);
  }
}

function milliseconds(durationMs: number): string {
  return String(Math.round(durationMs));
}
