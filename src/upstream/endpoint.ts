// An Endpoint: an instance as the proxy sees it, with its load, latency, ejection and connections.
import type { Candidate } from '../balancing/candidates.ts';
import { PeakEwma } from '../balancing/peak-ewma.ts';
import { formatAddress } from '../core/address.ts';
import type { Instance } from '../core/instance.ts';
import type { Ejection } from '../resilience/ejection.ts';

/** Connections to one endpoint, kept by whoever carries requests to it. */
export interface Connections {
  /** Ends idle connections now and the others when their requests have ended. Never rejects. */
  retire(): void;
}

export class Endpoint implements Candidate {
  /** The latest record of the instance; its id and address never change. */
  instance: Instance;
  readonly address: string;
  readonly ejection: Ejection;
  readonly latency = new PeakEwma();
  outstanding = 0;
  readonly counters = { attempts: 0, failures: 0, ejections: 0 };
  readonly #connections = new Set<Connections>();
  #retired = false;

  constructor(instance: Instance, ejection: Ejection) {
    this.instance = instance;
    this.address = formatAddress(instance);
    this.ejection = ejection;
  }

  get weight(): number {
    return this.instance.weight;
  }

  /** The instance has left its service: no new request is sent to it. */
  get retired(): boolean {
    return this.#retired;
  }

  latencyMs(nowMs: number): number | undefined {
    return this.latency.readMs(nowMs);
  }

  /** Makes the endpoint the owner of connections: they are retired with it. */
  own(connections: Connections): void {
    if (this.#retired) connections.retire();
    else this.#connections.add(connections);
  }

  retire(): void {
    this.#retired = true;
    for (const connections of this.#connections) connections.retire();
    this.#connections.clear();
  }
}
