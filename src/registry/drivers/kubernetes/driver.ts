// The registry in Kubernetes: instances are the endpoints of a service's EndpointSlices.
import { RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { KubernetesApi, type Collection } from './api.ts';
import { fieldsOf, textOf } from './fields.ts';
import { inTime } from './in-time.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { confirmMs } from './lease-ages.ts';
import { Leases, type Look } from './leases.ts';
import { readLocation, type KubernetesLocation } from './location.ts';
import { serviceNameOf, slicesPath } from './names.ts';
import { parseSlice, serviceLabel } from './slice.ts';
import { Slices } from './slices.ts';
import { Writes } from './writes.ts';

/** Opens `k8s:` URLs; rejects with a ConfigError for one that cannot work. Connects at first use. */
export async function openKubernetes(url: string, deps: DriverDeps): Promise<Driver> {
  return new KubernetesDriver(deps, await readLocation(url, readKubeconfig));
}

/** A watch brings a change at once; an agent on a busy host takes a little longer. */
const propagationMs = { slice: 1000, none: 3000 } as const;
/** A watch that the server ends sooner without an event is one that it does not want to serve from there. */
const shortestWatchMs = 500;
/** For a list of leases, also a long one over a slow line. */
const lookMs = 10_000;

class KubernetesDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #location: KubernetesLocation;
  readonly #api: KubernetesApi;
  readonly #leases: Leases;
  readonly #writes: Writes;

  constructor(deps: DriverDeps, location: KubernetesLocation) {
    const registers = location.register === 'slice';
    this.#deps = deps;
    this.#location = location;
    this.#api = new KubernetesApi(location);
    this.#leases = new Leases({ ...deps, api: this.#api }, { ...location, collects: registers });
    this.#writes = new Writes({ ...deps, api: this.#api }, location);
    this.url = location.url;
    this.capabilities = {
      ttlMs: location.ttlMs,
      heartbeatMs: location.heartbeatMs,
      propagationMs: propagationMs[location.register],
      advertise: 'first-address',
      registers,
    };
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    if (this.capabilities.registers) await this.#writes.acquire(instance, ttlMs, signal);
  }

  async renew(instance: Instance, _ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    return this.capabilities.registers ? this.#writes.renew(instance, signal) : 'ok';
  }

  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    if (this.capabilities.registers) await this.#writes.release(instance, signal);
  }

  async read(service: string, signal: AbortSignal): Promise<SlicesReading> {
    const slices = await this.#list(service, signal);
    return { ...slices.reading(), slices };
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const ending = new AbortController();
    const end = (): void => ending.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const slices = hasSlices(from) ? from.slices : await this.#list(service, ending.signal);
      await Promise.race([
        this.#watch(service, slices, sink, ending.signal),
        this.#lookAtLeases(service, slices, sink, ending.signal),
      ]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      ending.abort();
      signal.removeEventListener('abort', end);
    }
  }

  async names(signal: AbortSignal): Promise<readonly string[]> {
    const path = slicesPath(this.#location.namespace);
    const collection = { path, selector: serviceLabel };
    const { items } = await this.#api.list(collection, signal, { metadataOnly: true });
    const names = items.map((item) => {
      const { labels } = fieldsOf(fieldsOf(item)['metadata']);
      return textOf(fieldsOf(labels)[serviceLabel]) ?? '';
    });
    return [...new Set(names)].filter((name) => parseServiceName(name) === name).sort();
  }

  async close(): Promise<void> {
    await this.#writes.close();
    this.#api.close();
  }

  async #list(service: string, signal: AbortSignal): Promise<Slices> {
    const { items, resourceVersion } = await this.#api.list(this.#collectionOf(service), signal);
    const context = { service, port: this.#location.port };
    const parsed = items.map((item) => parseSlice(item, context));
    const slices = new Slices(
      parsed.filter((slice) => slice !== undefined),
      resourceVersion,
    );
    await this.#leases.look(service, slices, signal);
    return slices;
  }

  /** Watches one after the other, each from where the last one ended. */
  async #watch(
    service: string,
    slices: Slices,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<never> {
    const { clock, random } = this.#deps;
    const collection = this.#collectionOf(service);
    const context = { service, port: this.#location.port };
    for (;;) {
      const startedMs = clock.nowMs();
      // Not all agents of a fleet come back at the same moment.
      const watchMs = this.#location.watchMs * (0.8 + 0.2 * random());
      const { resourceVersion } = slices;
      for await (const event of this.#api.watch(collection, { resourceVersion, watchMs }, signal)) {
        slices.resourceVersion = event.resourceVersion;
        if (event.kind === 'bookmark') {
          sink.confirmed();
          continue;
        }
        const slice = parseSlice(event.object, context);
        if (slice === undefined) continue;
        if (event.kind === 'put') slices.put(slice);
        else slices.remove(slice.name);
        sink.changed(slices.reading());
      }
      if (clock.nowMs() - startedMs < shortestWatchMs) {
        throw new RegistryError('registry_compacted', 'the server ended a watch at once');
      }
      sink.confirmed();
    }
  }

  async #lookAtLeases(
    service: string,
    slices: Slices,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<never> {
    const { clock, random } = this.#deps;
    let waitMs = confirmMs;
    for (;;) {
      await clock.sleep(waitMs * (1 + 0.1 * random()), signal);
      const { changed, nextMs } = await this.#lookInTime(service, slices, signal);
      if (changed) sink.changed(slices.reading());
      waitMs = nextMs;
    }
  }

  /** A server that does not answer must be noticed sooner than by the silence of the watch. */
  #lookInTime(service: string, slices: Slices, signal: AbortSignal): Promise<Look> {
    const look = (ending: AbortSignal): Promise<Look> => this.#leases.look(service, slices, ending);
    return inTime(this.#deps.clock, lookMs, signal, look);
  }

  #collectionOf(service: string): Collection {
    const { namespace, name } = serviceNameOf(service, this.#location.namespace);
    return { path: slicesPath(namespace), selector: `${serviceLabel}=${name}` };
  }
}

/** What `read` gives: `follow` goes on from it without another list. */
interface SlicesReading extends Reading {
  readonly slices: Slices;
}

function hasSlices(reading: Reading): reading is SlicesReading {
  return 'slices' in reading && reading.slices instanceof Slices;
}
