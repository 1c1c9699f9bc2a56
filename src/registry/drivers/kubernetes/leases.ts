// Leases of instances outside of the cluster: which have expired, and the end of those that nobody will renew any more.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { KubernetesApi } from './api.ts';
import { confirmMs, isLate, isOver, LeaseAges, nextLookMs, type LeaseAge } from './lease-ages.ts';
import { leasesPath, serviceNameOf, slicesPath, type ServiceName } from './names.ts';
import { parseLease, type LeaseRecord } from './registration.ts';
import { serviceLabel } from './slice.ts';
import type { Slices } from './slices.ts';

interface LeasesDeps {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface LeasesOptions {
  readonly namespace: string;
  /** Of leases that do not say. */
  readonly ttlMs: number;
  /** Whether what has been dead for long is removed. */
  readonly collects: boolean;
}

export interface Look {
  /** The list of instances is another one now. */
  readonly changed: boolean;
  /** After this time it is worth to look again. */
  readonly nextMs: number;
}

/** Removed in one look, at most. */
const collectedMax = 20;

/** Of all services that are followed; knows nothing of those without a lease. */
export class Leases {
  readonly #deps: LeasesDeps;
  readonly #options: LeasesOptions;
  readonly #ages = new Map<string, LeaseAges>();
  #mayRead = true;

  constructor(deps: LeasesDeps, options: LeasesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Asks for the leases of a service and marks the slices whose lease is over. */
  async look(service: string, slices: Slices, signal: AbortSignal): Promise<Look> {
    const { ttlMs } = this.#options;
    if (slices.leased.length === 0) {
      this.#ages.delete(service);
      return { changed: slices.expire(new Set(), new Set()), nextMs: confirmMs };
    }
    const leases = await this.#list(serviceNameOf(service, this.#options.namespace), signal);
    if (leases === undefined) return { changed: false, nextMs: ttlMs };
    const known = this.#ages.get(service) ?? new LeaseAges();
    this.#ages.set(service, known);
    // With leases that a cut off release may have left behind.
    const names = new Set([...slices.leased.map(({ name }) => name), ...leases.keys()]);
    const times = { nowMs: this.#deps.clock.nowMs(), defaultDurationMs: ttlMs };
    const ages = known.look(names, leases, times);
    const over = [...ages].filter(([, age]) => isOver(age));
    const dead = over.filter(([, { overdueMs, durationMs }]) => overdueMs > durationMs);
    if (this.#options.collects) await this.#collect(service, slices, new Map(dead), signal);
    const changed = slices.expire(
      namesOf(over),
      namesOf([...ages].filter(([, age]) => isLate(age))),
    );
    return { changed, nextMs: nextLookMs(ages.values(), ttlMs / 2) };
  }

  /** Without the permission nothing is known to expire, as for all other readers of slices. */
  async #list(
    { namespace, name }: ServiceName,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, LeaseRecord> | undefined> {
    const collection = { path: leasesPath(namespace), selector: `${serviceLabel}=${name}` };
    try {
      const { items, serverMs } = await this.#deps.api.list(collection, signal);
      const records = items.map((item) => parseLease(item, serverMs));
      const known = records.filter((record) => record !== undefined);
      return new Map(known.map((record) => [record.name, record]));
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'registry_auth') throw error;
      if (this.#mayRead) this.#deps.logger.warn({ error: error.message }, 'cannot read leases');
      this.#mayRead = false;
      return undefined;
    }
  }

  /**
   * Removes what has been overdue for another lease time: programs that only know slices go on to call it until then. Best
   * effort; other agents do the same.
   */
  async #collect(
    service: string,
    slices: Slices,
    dead: ReadonlyMap<string, LeaseAge>,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, logger } = this.#deps;
    const { namespace } = serviceNameOf(service, this.#options.namespace);
    const versions = new Map(slices.leased.map((slice) => [slice.name, slice.resourceVersion]));
    try {
      for (const [name, { renewal }] of [...dead].slice(0, collectedMax)) {
        const lease = `${leasesPath(namespace)}/${name}`;
        // Renewed meanwhile after all.
        if (renewal !== '' && !(await api.remove(lease, renewal, signal))) continue;
        const version = versions.get(name);
        if (version === undefined) continue;
        await api.remove(`${slicesPath(namespace)}/${name}`, version, signal);
        logger.info({ service, slice: name }, 'removed an instance that died');
      }
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      logger.debug({ service, error: error.message }, 'cannot remove instances that died');
    }
  }
}

function namesOf(ages: readonly (readonly [string, LeaseAge])[]): ReadonlySet<string> {
  return new Set(ages.map(([name]) => name));
}
