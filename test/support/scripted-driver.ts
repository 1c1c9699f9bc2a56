// Test double: a driver in memory whose answers, failures and silences a test decides.
import { RegistryError } from '../../src/core/errors.ts';
import type { Instance } from '../../src/core/instance.ts';
import type { Capabilities, Driver, FollowSink, Reading } from '../../src/registry/driver.ts';

export type Operation = 'acquire' | 'renew' | 'release' | 'read' | 'names' | 'follow';

interface Followed {
  readonly sink: FollowSink;
  readonly fail: (error: unknown) => void;
}

export class ScriptedDriver implements Driver {
  readonly url = 'scripted:';
  readonly capabilities: Capabilities = {
    ttlMs: 10_000,
    heartbeatMs: 3000,
    propagationMs: 100,
    advertise: 'loopback',
    registers: true,
  };
  /** Every operation in the order of its call. */
  readonly calls: Operation[] = [];
  /** Records of instances by id; what `acquire` wrote and nobody removed. */
  readonly records = new Map<string, Instance>();
  /** What every operation fails with while it is set. */
  failure: Error | undefined;
  /** Operations that are never answered, and ignore their signal. */
  readonly hung = new Set<Operation>();
  /** Added to every reading. */
  extra: Partial<Reading> = {};
  /** The largest number of operations (other than follow) that ran at one time. */
  inFlightMax = 0;
  closed = false;
  #inFlight = 0;
  #version = 0;
  readonly #followed = new Map<string, Set<Followed>>();

  async acquire(instance: Instance): Promise<void> {
    await this.#answer('acquire');
    this.records.set(instance.id, instance);
    this.#version++;
  }

  async renew(instance: Instance): Promise<'ok' | 'gone'> {
    await this.#answer('renew');
    return this.records.has(instance.id) ? 'ok' : 'gone';
  }

  async release(instance: Instance): Promise<void> {
    await this.#answer('release');
    this.records.delete(instance.id);
    this.#version++;
  }

  async read(service: string): Promise<Reading> {
    await this.#answer('read');
    return this.#reading(service);
  }

  follow(service: string, _from: Reading, sink: FollowSink, signal: AbortSignal): Promise<void> {
    this.calls.push('follow');
    return new Promise((resolve, reject) => {
      const followed = { sink, fail: reject };
      const all = this.#followed.get(service) ?? new Set();
      this.#followed.set(service, all.add(followed));
      const end = (): void => {
        all.delete(followed);
        if (!this.hung.has('follow')) resolve();
      };
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }

  async names(): Promise<readonly string[]> {
    await this.#answer('names');
    return [...new Set([...this.records.values()].map(({ service }) => service))];
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call === operation).length;
  }

  /** How many follow a service now. */
  followers(service: string): number {
    return this.#followed.get(service)?.size ?? 0;
  }

  /** Makes these the instances of their service, without telling anyone. */
  set(service: string, instances: readonly Instance[]): void {
    for (const { id, service: other } of this.records.values()) {
      if (other === service) this.records.delete(id);
    }
    for (const instance of instances) this.records.set(instance.id, instance);
    this.#version++;
  }

  /** Makes these the instances of their service and tells all who follow it. */
  push(service: string, instances: readonly Instance[], extra: Partial<Reading> = {}): void {
    this.set(service, instances);
    const reading = { ...this.#reading(service), ...extra };
    for (const { sink } of [...(this.#followed.get(service) ?? [])]) sink.changed(reading);
  }

  confirm(service: string): void {
    for (const { sink } of [...(this.#followed.get(service) ?? [])]) sink.confirmed();
  }

  /** Breaks off every follow; operations fail too if the registry is to stay away. */
  breakOff(error: Error, { stayAway = false } = {}): void {
    this.failure = stayAway ? error : undefined;
    for (const all of this.#followed.values()) {
      for (const followed of [...all]) {
        all.delete(followed);
        followed.fail(error);
      }
    }
  }

  #reading(service: string): Reading {
    const instances = [...this.records.values()].filter((record) => record.service === service);
    return { instances, version: String(this.#version), malformed: 0, ...this.extra };
  }

  async #answer(operation: Operation): Promise<void> {
    this.calls.push(operation);
    this.#inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    try {
      await Promise.resolve();
      if (this.hung.has(operation)) await new Promise(() => undefined);
      if (this.failure !== undefined) throw this.failure;
    } finally {
      this.#inFlight--;
    }
  }
}

export const unreachable = new RegistryError('registry_unreachable', 'connection refused');

/** An instance of `payments`, or of the service given. */
export function instanceOf(id: string, parts: Partial<Instance> = {}): Instance {
  const port = [...Buffer.from(id)].reduce((sum, byte) => (sum * 31 + byte) % 60_000, 1) + 1000;
  return {
    service: 'payments',
    id,
    host: '10.0.0.1',
    port,
    weight: 1,
    tags: [],
    meta: {},
    ...parts,
  };
}
