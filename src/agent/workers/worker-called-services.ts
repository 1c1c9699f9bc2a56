// The services that the workers call, summed, as the admin API shows them.
import type {
  ExplainedCall,
  Explanation,
  RequestCount,
  UsedServiceStatus,
  WorkersStatus,
} from '../../admin/view.ts';
import type { Clock } from '../../core/clock.ts';
import type { Registries } from '../../registry/registries.ts';
import type { CalledServices } from '../called-services.ts';
import { showSnapshot } from '../show-upstream.ts';
import type { Workers } from './workers.ts';

interface Deps {
  readonly workers: Workers;
  /** What the control process itself uses, for DNS answers and `--wait-for`. */
  readonly own: CalledServices;
  readonly registries: Pick<Registries, 'malformed' | 'read' | 'snapshot'>;
  readonly clock: Clock;
}

export class WorkerCalledServices implements CalledServices {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  refresh(): Promise<void> {
    return this.#deps.workers.refresh();
  }

  /** The registry's own list is newer than what any worker told of it. */
  used(): readonly UsedServiceStatus[] {
    const { workers, own, registries, clock } = this.#deps;
    const malformed = registries.malformed();
    const nowMs = clock.nowMs();
    const called = workers.uses();
    const names = new Set(called.map(({ service }) => service));
    const others = own.used().filter(({ service }) => !names.has(service));
    return [...called, ...others].map((use) => {
      const snapshot = registries.snapshot(use.service);
      if (snapshot === undefined) return use;
      const records = malformed.get(use.service) ?? 0;
      return { ...use, snapshot: showSnapshot(snapshot, records, nowMs) };
    });
  }

  /** The control process carries no requests of its own. */
  unknownRequests(): readonly RequestCount[] {
    return this.#deps.workers.unknownRequests();
  }

  workers(): WorkersStatus {
    return this.#deps.workers.status();
  }

  /** As one worker would call now, each asked in its turn; another may see an instance otherwise. */
  async explain(
    service: string,
    call: ExplainedCall,
    signal: AbortSignal,
  ): Promise<Explanation | undefined> {
    const { workers, own, registries } = this.#deps;
    const isUsed = workers.uses().some((use) => use.service === service);
    if (!isUsed && (await registries.read(service, signal)).instances.length === 0)
      return undefined;
    const [worker] = workers.inTurn();
    const explanation = await worker?.explain(service, call);
    if (explanation === undefined) return own.explain(service, call, signal);
    const malformed = registries.malformed().get(service) ?? 0;
    return { ...explanation, snapshot: { ...explanation.snapshot, malformed } };
  }
}
