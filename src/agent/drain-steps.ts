// What the drain's phases do to the agent's parts.
import type { Proxy } from '../proxy/proxy.ts';
import type { DrainSteps } from './drain.ts';
import type { LocalService } from './local-service.ts';
import type { Supervisor } from './supervisor.ts';

/** The proxy as the agent runs it: in its own process, or in several. */
export type RunnableProxy = Pick<Proxy, 'isListening' | 'url' | 'start' | 'drain' | 'close'>;

export interface AgentParts {
  readonly services: readonly LocalService[];
  readonly proxy: RunnableProxy;
  readonly supervisor: Supervisor | undefined;
  /** Everything else that must be ended, in the order of ending. */
  readonly others: readonly { close(): void | Promise<void> }[];
}

export class AgentSteps implements DrainSteps {
  readonly #parts: AgentParts;
  readonly #announced = new AbortController();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** Aborts when the drain begins: nothing new is started from then on. */
  get announced(): AbortSignal {
    return this.#announced.signal;
  }

  /** Where others register the app (Kubernetes, whoever writes the DNS records), they do so while it is well. */
  isRegistered(): boolean {
    return this.#parts.services.some(({ leases, health }) =>
      leases.length === 0
        ? health.healthy
        : leases.some(({ state }) => state.kind !== 'idle' && state.kind !== 'released'),
    );
  }

  announce(): void {
    this.#announced.abort(new Error('draining'));
  }

  async deregister(timeoutMs: number): Promise<void> {
    const { services } = this.#parts;
    const all = services.map(({ registrar }) => registrar.deregister(timeoutMs));
    const outcomes = await Promise.all(all);
    if (outcomes.includes('timeout')) throw new Error('a record is left to end with its TTL');
  }

  /** That the app is not well from here on is no news. */
  async stopApp(graceMs: number): Promise<void> {
    const { services, supervisor } = this.#parts;
    for (const { health } of services) void health.close();
    await supervisor?.stop(graceMs);
  }

  async finish(timeoutMs: number): Promise<void> {
    await this.#parts.proxy.drain(timeoutMs);
  }

  async close(): Promise<void> {
    const { supervisor, proxy, services, others } = this.#parts;
    await supervisor?.close();
    await proxy.close();
    for (const { health, registrar } of services) {
      await health.close();
      await registrar.close();
    }
    for (const other of others) await other.close();
  }
}
