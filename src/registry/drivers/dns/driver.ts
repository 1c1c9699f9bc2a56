// The DNS driver: finds instances by SRV, A and AAAA records; somebody else writes these.
import { isIP } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import { between, type Random } from '../../../core/random.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { Pause } from '../../pause.ts';
import { nameOf, parseLocation, type DnsLocation } from './location.ts';
import { addressesOf, instancesOf, lifetimeMs, targetsOf, type Target } from './records.ts';
import { Resolver, type DnsAnswer, type QueryType } from './resolver.ts';

/** Opens `dns:` URLs; throws a ConfigError for one that cannot work. Asks nobody yet. */
export function openDns(url: string, deps: DriverDeps): Driver {
  const location = parseLocation(url);
  const resolver = new Resolver(deps, { servers: location.servers, tcp: location.tcp });
  return new DnsDriver({ ...deps, resolver }, location);
}

interface DnsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: Resolver;
}

interface Looked {
  readonly reading: Reading;
  /** How long it may be believed. */
  readonly forMs: number;
}

/** How many targets without an address in the answer are looked up at the same time. */
const lookUpsMax = 16;
/** One query of a look; several may be needed. */
const queryTimeoutMs = 1800;

class DnsDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities = {
    ttlMs: 10_000,
    heartbeatMs: 3000,
    propagationMs: 0,
    advertise: 'first-address',
    registers: false,
  };
  readonly #deps: DnsDeps;
  readonly #location: DnsLocation;
  readonly #closing = new AbortController();

  constructor(deps: DnsDeps, location: DnsLocation) {
    this.url = location.url;
    this.#deps = deps;
    this.#location = location;
  }

  acquire(): Promise<void> {
    return Promise.resolve();
  }

  renew(): Promise<'ok' | 'gone'> {
    return Promise.resolve('ok');
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    return (await this.#look(service, signal)).reading;
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const { ttlMinMs } = this.#location;
    const pause = new Pause(clock);
    let [latest, forMs, isConfirmed] = [from, ttlMinMs, false];
    for (;;) {
      await pause.for(forMs * between(random, 0.9, 1), signal);
      if (signal.aborted) return;
      const looked = await this.#look(service, signal);
      forMs = looked.forMs;
      const isSame = looked.reading.version === latest.version;
      const isEmptied = looked.reading.instances.length === 0 && latest.instances.length > 0;
      if (isSame) {
        sink.confirmed();
      } else if (isEmptied && !isConfirmed) {
        // One answer without records may be a server's start or a mistake on the way; a second one is believed.
        isConfirmed = true;
        forMs = ttlMinMs;
        continue;
      } else {
        latest = looked.reading;
        sink.changed(latest);
      }
      isConfirmed = false;
    }
  }

  /** DNS has no list of the names in a domain. */
  names(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #look(service: string, signal: AbortSignal): Promise<Looked> {
    const ending = AbortSignal.any([
      signal,
      this.#closing.signal,
      AbortSignal.timeout(queryTimeoutMs),
    ]);
    const name = nameOf(this.#location, service);
    const { port } = this.#location;
    return port === undefined
      ? this.#lookBySrv(service, name, ending)
      : this.#lookByAddress(service, { host: name, port, weight: 1 }, ending);
  }

  async #lookByAddress(service: string, target: Target, signal: AbortSignal): Promise<Looked> {
    const [found, ...answers] = await this.#resolve(target.host, signal);
    return this.#lookedAt(instancesOf(service, target, found), 0, answers);
  }

  async #lookBySrv(service: string, name: string, signal: AbortSignal): Promise<Looked> {
    const answer = await this.#deps.resolver.query(name, 'SRV', signal);
    const { targets, malformed } = targetsOf(name, answer);
    const answers: DnsAnswer[] = [answer];
    const instances: Instance[] = [];
    const missing: Target[] = [];
    for (const target of targets) {
      const given = isIP(target.host) === 0 ? addressesGiven(target.host, answer) : [target.host];
      if (given.length > 0) instances.push(...instancesOf(service, target, given));
      else missing.push(target);
    }
    const hosts = [...new Set(missing.map(({ host }) => host))];
    const resolved = new Map<string, readonly string[]>();
    for (let at = 0; at < hosts.length; at += lookUpsMax) {
      const some = hosts.slice(at, at + lookUpsMax);
      await Promise.all(
        some.map(async (host) => {
          const [found, ...more] = await this.#resolve(host, signal);
          resolved.set(host, found);
          answers.push(...more);
        }),
      );
    }
    for (const target of missing)
      instances.push(...instancesOf(service, target, resolved.get(target.host) ?? []));
    return this.#lookedAt(instances, malformed, answers);
  }

  /** The addresses of a host, of IPv4 if it has any, and the answers that they came with. */
  async #resolve(host: string, signal: AbortSignal): Promise<[string[], ...DnsAnswer[]]> {
    const ask = (type: QueryType): Promise<DnsAnswer> =>
      this.#deps.resolver.query(host, type, signal);
    const [four, six] = await Promise.all([ask('A'), ask('AAAA')]);
    const found = addressesOf(host, four.answers ?? [], 'A');
    if (found.length > 0) return [found, four];
    return [addressesOf(host, six.answers ?? [], 'AAAA'), four, six];
  }

  #lookedAt(found: readonly Instance[], malformed: number, answers: readonly DnsAnswer[]): Looked {
    const { ttlMinMs, ttlMaxMs } = this.#location;
    const instances = [...found].sort((a, b) => (a.id < b.id ? -1 : 1));
    const version = instances.map(formatInstance).join('\n');
    const lifetimes = answers.map(lifetimeMs).filter((ms) => ms !== undefined);
    const shortestMs = lifetimes.length === 0 ? ttlMinMs : Math.min(...lifetimes);
    const forMs = Math.min(ttlMaxMs, Math.max(ttlMinMs, shortestMs));
    return { reading: { instances, version, malformed }, forMs };
  }
}

function addressesGiven(host: string, { additionals = [] }: DnsAnswer): readonly string[] {
  const found = addressesOf(host, additionals, 'A');
  return found.length > 0 ? found : addressesOf(host, additionals, 'AAAA');
}
