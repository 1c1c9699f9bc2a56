// The registry in Netflix Eureka: registrations by its REST interface, and one poll of its changes for all that is followed.
import { type Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { Pause } from '../../pause.ts';
import { EurekaCalls } from './calls.ts';
import { Fleet } from './fleet.ts';
import { FleetPoll } from './fleet-poll.ts';
import { parseLocation, type EurekaLocation } from './location.ts';
import { formatRecord } from './record.ts';

/** Opens `eureka:` and `eureka+https:` URLs; throws a ConfigError for one that cannot work. Connects at first use. */
export function openEureka(url: string, deps: DriverDeps): Driver {
  return new EurekaDriver(deps, parseLocation(url));
}

/** Servers answer from a cache that they refresh this often by default, and other agents ask when their poll is due. */
const serverCacheMs = 30_000;
const slackMs = 1000;
/** Of a service, so many applications are asked for; more share a `vipAddress` hardly ever. */
const applicationsMax = 4;

class EurekaDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #location: EurekaLocation;
  readonly #calls: EurekaCalls;
  readonly #fleet = new Fleet();
  readonly #poll: FleetPoll;
  /** Of each instance that is registered: the time in its latest record. */
  readonly #written = new Map<string, number>();
  /** Taken out of service but perhaps not removed: a registration alone would not put them back. */
  readonly #outOfService = new Set<string>();
  /** Of each service that is followed: the epoch that the follower saw last. */
  readonly #seen = new Map<string, number>();

  constructor(deps: DriverDeps, location: EurekaLocation) {
    this.#deps = deps;
    this.#location = location;
    this.#calls = new EurekaCalls(location);
    this.#poll = new FleetPoll({ ...deps, calls: this.#calls, fleet: this.#fleet }, location);
    this.url = location.url;
    this.capabilities = {
      ttlMs: location.ttlMs,
      heartbeatMs: location.heartbeatMs,
      propagationMs: Math.ceil(serverCacheMs + location.pollMs * 1.1 + slackMs),
      advertise: 'first-address',
      registers: true,
    };
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const { service, id } = instance;
    const { zone, heartbeatMs } = this.#location;
    // A server keeps the record with the later time, so this one must be later even if the clock was set back.
    const writtenAtMs = Math.max(this.#deps.clock.wallMs(), (this.#written.get(id) ?? 0) + 1);
    const zoned = zone === undefined ? instance : { zone, ...instance };
    this.#written.set(id, Math.floor(writtenAtMs));
    const options = { ttlMs, heartbeatMs, writtenAtMs: Math.floor(writtenAtMs) };
    await this.#calls.register(service, formatRecord(zoned, options), signal);
    if (!this.#outOfService.has(id)) return;
    await this.#calls.putBackInService(instance, signal);
    this.#outOfService.delete(id);
  }

  async renew(instance: Instance, _ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const renewed = await this.#calls.renew(instance, this.#written.get(instance.id) ?? 0, signal);
    return renewed ? 'ok' : 'gone';
  }

  /** Out of service first: were the removal lost, self-preservation could keep the record as callable for ever. */
  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    this.#outOfService.add(instance.id);
    await this.#calls.takeOutOfService(instance, signal);
    await this.#calls.deregister(instance, signal);
    this.#outOfService.delete(instance.id);
    this.#written.delete(instance.id);
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    await this.#poll.refresh(signal);
    const seen = this.#seen.get(service);
    if (seen !== undefined) await this.#checkApplications(service, signal);
    return this.#readingSince(service, seen);
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const pause = new Pause(this.#deps.clock);
    let { version } = from;
    try {
      while (!signal.aborted) {
        await this.#poll.keepUp(signal);
        const reading = this.#readingSince(service, this.#seen.get(service));
        this.#remember(service);
        if (reading.version === version) sink.confirmed();
        else sink.changed(reading);
        version = reading.version;
        await pause.for(this.#poll.dueMs - this.#deps.clock.nowMs(), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    await this.#poll.refresh(signal);
    return this.#fleet
      .names()
      .filter((name) => parseServiceName(name) === name)
      .sort();
  }

  async close(): Promise<void> {
    this.#calls.close();
    await this.#poll.close();
  }

  /**
   * The changes do not tell of renewals, so for a followed service they are asked for now and then, at each full read. The
   * answer is also a check of the list: under many changes at once a server may keep an old one in its cache for minutes.
   */
  async #checkApplications(service: string, signal: AbortSignal): Promise<void> {
    for (const app of this.#fleet.applicationsOf(service).slice(0, applicationsMax)) {
      const list = await this.#calls.application(app, signal);
      if (list !== undefined && !this.#fleet.judge(list)) this.#poll.distrustChanges();
    }
    await this.#poll.refresh(signal);
  }

  #readingSince(service: string, seenEpoch: number | undefined): Reading {
    const reading = this.#fleet.reading(service);
    const reset = seenEpoch !== undefined && seenEpoch !== this.#fleet.epoch;
    return reset ? { ...reading, reset } : reading;
  }

  /** Only of services that exist, so that names which nobody has take no memory. */
  #remember(service: string): void {
    if (this.#seen.has(service) || this.#fleet.applicationsOf(service).length > 0) {
      this.#seen.set(service, this.#fleet.epoch);
    }
  }
}
