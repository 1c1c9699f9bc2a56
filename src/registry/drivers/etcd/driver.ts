// The registry in etcd v3: a key for each instance, on one lease of its agent, and a watch for each service that is followed.
import { RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { EtcdCalls } from './calls.ts';
import { EtcdRefusal } from './etcd-errors.ts';
import { GrpcChannel } from './grpc-channel.ts';
import { allRange, keyOf, serviceOfKey, serviceRange } from './keys.ts';
import { Leases } from './leases.ts';
import { parseLocation, type EtcdLocation } from './location.ts';
import { formatLeft, formatRecord } from './record.ts';
import { isEtcdReading, ServiceList } from './service-list.ts';
import { Trouble } from './trouble.ts';
import { Watches } from './watches.ts';

/** Opens `etcd:` and `etcds:` URLs; throws a ConfigError for one that cannot work. Connects at first use. */
export function openEtcd(url: string, deps: DriverDeps): Driver {
  return new EtcdDriver(deps, parseLocation(url));
}

/** Followers hear of a release at once; the rest is what their machines and a lost connection may take. */
const propagationMs = 1000;
const answerMsMax = 2000;
/** More keys than this are not looked at for names. */
const namesKeysMax = 1_000_000;
const namesPage = 5000;

class EtcdDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #prefix: string;
  readonly #channel: GrpcChannel;
  readonly #trouble: Trouble;
  readonly #calls: EtcdCalls;
  readonly #leases: Leases;
  readonly #watches: Watches;
  /** The latest revision of each service that was followed. */
  readonly #seen = new Map<string, number>();

  constructor({ clock }: DriverDeps, location: EtcdLocation) {
    const { ttlMs, heartbeatMs } = location;
    this.url = location.url;
    this.capabilities = {
      ttlMs,
      heartbeatMs,
      propagationMs,
      advertise: 'first-address',
      registers: true,
    };
    this.#prefix = location.prefix;
    this.#channel = new GrpcChannel({ clock }, location);
    this.#trouble = new Trouble({ clock });
    this.#calls = new EtcdCalls({ channel: this.#channel, trouble: this.#trouble }, location);
    this.#leases = new Leases({ clock, calls: this.#calls });
    this.#watches = new Watches(
      { clock, calls: this.#calls, trouble: this.#trouble },
      { probeEveryMs: heartbeatMs, answerMs: Math.min(answerMsMax, ttlMs / 3) },
    );
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const record = { key: this.#keyOf(instance), value: formatRecord(instance) };
    await this.#leases.write(record, ttlMs, signal);
  }

  renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    return this.#leases.renew(this.#keyOf(instance), ttlMs, signal);
  }

  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    const key = this.#keyOf(instance);
    await this.#sayThatItLeaves(key, instance, signal);
    await this.#calls.delete(key, signal);
    const leaseId = this.#leases.forget(key);
    if (leaseId !== undefined) await this.#calls.revokeLease(leaseId, signal);
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    const range = serviceRange(this.#prefix, service);
    const answer = await this.#calls.range(range, {}, signal);
    const reading = ServiceList.read(service, range, answer);
    // Revisions only grow, unless the cluster was made anew or put back to a copy.
    const reset = answer.revision < (this.#seen.get(service) ?? 0);
    return { ...reading, reset };
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    if (!isEtcdReading(from)) {
      throw new RegistryError('registry_compacted', 'etcd: the reading is not from this registry');
    }
    this.#seen.set(service, from.revision);
    const range = serviceRange(this.#prefix, service);
    const list = new ServiceList(service, range, from);
    const listener = {
      events: (events: Parameters<ServiceList['apply']>[0], revision: number): void => {
        const ended = list.apply(events, revision);
        this.#seen.set(service, revision);
        // While etcd hangs, time goes on for its leases: they end as soon as it is back.
        const reset = ended && this.#trouble.isWithin(this.capabilities.ttlMs);
        sink.changed({ ...list.reading(), reset });
      },
      confirmed: () => sink.confirmed(),
    };
    try {
      await this.#watches.watch(range, from.revision, listener, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const names = new Set<string>();
    let afterKey: string | undefined;
    for (let keys = 0; keys < namesKeysMax; keys += namesPage) {
      const range = allRange(this.#prefix, afterKey);
      const page = await this.#calls.range(range, { limit: namesPage, keysOnly: true }, signal);
      for (const { key } of page.pairs) {
        const name = serviceOfKey(this.#prefix, key);
        if (parseServiceName(name) === name) names.add(name);
      }
      afterKey = page.pairs.at(-1)?.key;
      if (!page.more || afterKey === undefined) break;
    }
    return [...names].sort();
  }

  async close(): Promise<void> {
    this.#watches.close();
    this.#channel.close();
    this.#seen.clear();
  }

  async #sayThatItLeaves(key: string, instance: Instance, signal: AbortSignal): Promise<void> {
    try {
      await this.#calls.replace(key, formatLeft(instance), signal);
    } catch (error) {
      // A full database takes removals only.
      if (!(error instanceof EtcdRefusal && error.isOfSpace)) throw error;
    }
  }

  #keyOf({ service, id }: Instance): string {
    return keyOf(this.#prefix, service, id);
  }
}
