// An Upstream under a fake clock, with instances and probe outcomes that a test sets.
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { makeSnapshot, type SnapshotState } from '../../src/core/snapshot.ts';
import { Outcomes } from '../../src/upstream/outcomes.ts';
import { defaultPolicy, type UpstreamPolicy } from '../../src/upstream/policy.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { FakeClock } from './fake-clock.ts';
import { seededRandom } from './seeded-random.ts';

export function instance(id: string, fields: Partial<Instance> = {}): Instance {
  const port = 1000 + Number.parseInt(id.replace(/\D/g, '') || '0', 10);
  return {
    service: 'payments',
    id,
    host: '127.0.0.1',
    port,
    weight: 1,
    tags: [],
    meta: {},
    ...fields,
  };
}

export class UpstreamFixture {
  readonly clock = new FakeClock();
  readonly unreachable: string[] = [];
  readonly unknownOutcomes = new Outcomes();
  /** What a probe of an instance finds, by id; undefined: it accepts connections. */
  readonly probeCauses = new Map<string, string>();
  readonly upstream: Upstream;

  constructor(instances: readonly Instance[], policy: Partial<UpstreamPolicy> = {}) {
    const deps = {
      clock: this.clock,
      random: seededRandom(3),
      logger: silentLogger,
      prober: ({ id }: Instance) => Promise.resolve(this.probeCauses.get(id)),
      latest: () => undefined,
      reportUnreachable: (_service: string, id: string) => void this.unreachable.push(id),
      unknownOutcomes: this.unknownOutcomes,
    };
    this.upstream = new Upstream(
      deps,
      { ...defaultPolicy, ...policy },
      this.#snapshot([], 'unknown'),
    );
    if (instances.length > 0) this.set(instances);
  }

  set(instances: readonly Instance[], state: SnapshotState = 'live'): void {
    this.upstream.update(this.#snapshot(instances, state));
  }

  #snapshot(instances: readonly Instance[], state: SnapshotState) {
    const confirmedAtMs = this.clock.nowMs();
    return makeSnapshot({ service: 'payments', state, instances, confirmedAtMs, held: 0 });
  }

  endpoint(id: string) {
    const found = [...this.upstream.endpoints].find((endpoint) => endpoint.instance.id === id);
    if (found === undefined) throw new Error(`no endpoint ${id}`);
    return found;
  }
}
