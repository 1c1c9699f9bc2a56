// The DNS driver: finds instances by SRV, A and AAAA records; somebody else writes these.
import { setMaxListeners } from 'node:events';
import { isIP } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { formatInstance } from '../../../core/instance.ts';
import { between, type Random } from '../../../core/random.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { Pause } from '../../pause.ts';
import { EmptyAnswers } from './empty-answers.ts';
import { nameOf, parseLocation, type DnsLocation } from './location.ts';
import type { DnsAnswer } from './query.ts';
import { addressesOf, instancesOf, lifetimeMs, targetsOf, type Place } from './records.ts';
import { Resolver } from './resolver.ts';

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

/** The addresses of a host, and the answers that said so. */
interface Resolved {
  readonly addresses: readonly string[];
  readonly answers: readonly DnsAnswer[];
}

/** How many targets without an address in the answer are looked up at the same time. */
const lookUpsMax = 16;
/** All queries of a look together. */
const lookTimeoutMs = 1800;

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
  readonly #emptyAnswers: EmptyAnswers;
  readonly #looks = new Set<AbortController>();
  #closed = false;

  constructor(deps: DnsDeps, location: DnsLocation) {
    this.url = location.url;
    this.#deps = deps;
    this.#location = location;
    this.#emptyAnswers = new EmptyAnswers(deps.clock, 2 * location.ttlMaxMs);
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
    const { reading } = await this.#look(service, signal);
    return this.#emptyAnswers.believed(service, reading);
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
    let latest = from;
    let forMs = ttlMinMs;
    for (;;) {
      await pause.for(forMs * between(random, 0.9, 1), signal);
      if (signal.aborted) return;
      const looked = await this.#look(service, signal);
      const reading = this.#emptyAnswers.believed(service, looked.reading);
      // What is doubted is neither confirmed nor changed, but soon looked at again.
      const isDoubted = reading !== looked.reading;
      forMs = isDoubted ? ttlMinMs : looked.forMs;
      if (isDoubted) continue;
      if (reading.version === latest.version) sink.confirmed();
      else sink.changed(reading);
      latest = reading;
    }
  }

  /** DNS has no list of the names in a domain. */
  names(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const look of this.#looks) look.abort();
    return Promise.resolve();
  }

  async #look(service: string, signal: AbortSignal): Promise<Looked> {
    const name = nameOf(this.#location, service);
    const look = new AbortController();
    const end = (): void => look.abort(signal.reason);
    const timer = this.#deps.clock.after(lookTimeoutMs, () => {
      const message = `no answer for ${name} within ${lookTimeoutMs} ms`;
      look.abort(new RegistryError('registry_timeout', message));
    });
    signal.addEventListener('abort', end);
    this.#looks.add(look);
    if (signal.aborted || this.#closed) end();
    try {
      return this.#location.port === undefined
        ? await this.#lookBySrv(service, name, look.signal)
        : await this.#lookByAddress(service, name, this.#location.port, look.signal);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
      this.#looks.delete(look);
    }
  }

  async #lookByAddress(
    service: string,
    host: string,
    port: number,
    signal: AbortSignal,
  ): Promise<Looked> {
    const { addresses, answers } = await this.#resolve(host, signal);
    return this.#lookedAt(service, [{ host, port, weight: 1, addresses }], answers);
  }

  async #lookBySrv(service: string, name: string, signal: AbortSignal): Promise<Looked> {
    const answer = await this.#deps.resolver.query(name, 'SRV', signal);
    const { targets, malformed } = targetsOf(name, answer);
    const addresses = new Map(targets.map(({ host }) => [host, addressesGiven(host, answer)]));
    const hosts = [...addresses.keys()].filter((host) => addresses.get(host)?.length === 0);
    const answers = [answer];
    // Each look-up listens to the one signal.
    setMaxListeners(2 * lookUpsMax, signal);
    for (let at = 0; at < hosts.length; at += lookUpsMax) {
      const some = hosts.slice(at, at + lookUpsMax);
      const all = await Promise.all(some.map((host) => this.#resolve(host, signal)));
      all.forEach((found, index) => addresses.set(some[index] ?? '', found.addresses));
      answers.push(...all.flatMap((found) => found.answers));
    }
    const places = targets.map((target) => {
      return { ...target, addresses: addresses.get(target.host) ?? [] };
    });
    return this.#lookedAt(service, places, answers, malformed);
  }

  /** Addresses of IPv4 if there are any, else of IPv6. */
  async #resolve(host: string, signal: AbortSignal): Promise<Resolved> {
    const { resolver } = this.#deps;
    const four = await resolver.query(host, 'A', signal);
    const found = addressesOf(host, four.answers ?? [], 'A');
    if (found.length > 0) return { addresses: found, answers: [four] };
    const six = await resolver.query(host, 'AAAA', signal);
    return { addresses: addressesOf(host, six.answers ?? [], 'AAAA'), answers: [four, six] };
  }

  #lookedAt(
    service: string,
    places: readonly Place[],
    answers: readonly DnsAnswer[],
    malformed = 0,
  ): Looked {
    const { ttlMinMs, ttlMaxMs } = this.#location;
    const instances = instancesOf(service, places);
    const version = instances.map(formatInstance).join('\n');
    const lifetimes = answers.map(lifetimeMs).filter((ms) => ms !== undefined);
    const shortestMs = lifetimes.reduce((least, ms) => Math.min(least, ms), Infinity);
    // Nothing said, nothing to believe.
    const saidMs = shortestMs === Infinity ? ttlMinMs : shortestMs;
    const forMs = Math.min(ttlMaxMs, Math.max(ttlMinMs, saidMs));
    return { reading: { instances, version, malformed }, forMs };
  }
}

/** What the answer itself says of a target, which some servers write as an address. */
function addressesGiven(host: string, { additionals = [] }: DnsAnswer): readonly string[] {
  if (isIP(host) !== 0) return [host];
  const found = addressesOf(host, additionals, 'A');
  return found.length > 0 ? found : addressesOf(host, additionals, 'AAAA');
}
