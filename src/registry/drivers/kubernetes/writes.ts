// The objects of instances outside of the cluster: written, renewed and removed.
import type { Clock } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import type { Logger } from '../../../core/logger.ts';
import { Slots } from '../../slots.ts';
import type { KubernetesApi } from './api.ts';
import { inTime } from './in-time.ts';
import { leasesPath, objectNameOf, serviceNameOf, slicesPath, type ServiceName } from './names.ts';
import { leaseOf, renewalOf, sliceOf } from './registration.ts';

interface WritesDeps {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Instances that are written at once, each with two requests at most. */
const writesMax = 16;
/** For removing the lease of an instance that was released, and for the last of them when all is closed. */
const tidyMs = 10_000;
const closeMs = 1000;

/** What is written for an instance: the paths of its two objects, which have the same name. */
interface OwnObjects {
  readonly service: ServiceName;
  readonly name: string;
  readonly slice: string;
  readonly lease: string;
}

export class Writes {
  readonly #deps: WritesDeps;
  readonly #namespace: string;
  readonly #slots = new Slots(writesMax);
  /** Of instances that were released: the end of their lease, by the objects' name. */
  readonly #tidying = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(deps: WritesDeps, options: { readonly namespace: string }) {
    this.#deps = deps;
    this.#namespace = options.namespace;
  }

  async acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    const { name, service, slice, lease } = this.#objectsOf(instance);
    const { api, clock } = this.#deps;
    const wallMs = clock.wallMs();
    await this.#tidying.get(name);
    await this.#both(signal, [
      () => api.apply(lease, leaseOf(service, name, { ttlMs, wallMs }), signal),
      () => api.apply(slice, sliceOf(instance, service, { name, wallMs }), signal),
    ]);
  }

  async renew(instance: Instance, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const { slice, lease } = this.#objectsOf(instance);
    const { api, clock } = this.#deps;
    const renewal = { spec: renewalOf(clock.wallMs()) };
    const there = await this.#both(signal, [
      () => api.patch(lease, renewal, signal),
      () => api.exists(slice, signal),
    ]);
    return there.includes(false) ? 'gone' : 'ok';
  }

  /** Over when the slice is gone, which is what others see; its lease is of no interest any more. */
  async release(instance: Instance, signal: AbortSignal): Promise<void> {
    const { name, slice, lease } = this.#objectsOf(instance);
    await this.#slots.use(() => this.#deps.api.remove(slice, undefined, signal), signal);
    if (this.#tidying.has(name)) return;
    const tidied = this.#tidy(lease).finally(() => this.#tidying.delete(name));
    this.#tidying.set(name, tidied);
  }

  /** Gives what is being removed a moment to be so. */
  async close(): Promise<void> {
    const tidied = Promise.all(this.#tidying.values());
    const timer = this.#deps.clock.after(closeMs, () => this.#closing.abort());
    await tidied;
    timer.cancel();
  }

  /** Never rejects: a lease that is left behind is removed by agents that see it expire. */
  async #tidy(lease: string): Promise<void> {
    const { api, clock, logger } = this.#deps;
    try {
      await inTime(clock, tidyMs, this.#closing.signal, (ending) =>
        this.#slots.use(() => api.remove(lease, undefined, ending), ending),
      );
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'a lease was not removed');
    }
  }

  /** What is done to the two objects of an instance, in its turn. */
  #both<T>(signal: AbortSignal, calls: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
    return this.#slots.use(() => Promise.all(calls.map((call) => call())), signal);
  }

  #objectsOf({ service: text, id }: Instance): OwnObjects {
    const service = serviceNameOf(text, this.#namespace);
    const name = objectNameOf(service, id);
    return {
      service,
      name,
      slice: `${slicesPath(service.namespace)}/${name}`,
      lease: `${leasesPath(service.namespace)}/${name}`,
    };
  }
}
