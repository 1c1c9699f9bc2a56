// One look at a service in Redis: who of those known is present, who else belongs to it, and what changed.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { untilAborted } from '../redis/connection.ts';
import type { Fleet, Members } from './fleet.ts';
import type { Presence, Queries } from './queries.ts';
import type { ServiceList } from './service-list.ts';

export interface LookDeps {
  readonly clock: Clock;
  readonly queries: Queries;
  readonly fleet: Fleet;
  /** The lease time that is to be expected. */
  readonly leaseMs: number;
}

export interface Look {
  readonly changed: boolean;
  /** What it was done with; the next look at the same list asks only for news. */
  readonly members: Members;
  /** Node records of the whole fleet. */
  readonly nodes: number;
}

/**
 * Brings the list up to date. One round trip when nothing happened; when the fleet's index is another than `known`, all ids of
 * the service are asked for, and the records of those that are present. `read`: the index is to be read now. Rejects, as for
 * an answer that did not come in time, when leases may have ended only because Redis stood still.
 */
export async function look(
  deps: LookDeps,
  list: ServiceList,
  known: Members | 'read' | undefined,
  signal: AbortSignal,
): Promise<Look> {
  list.beginLook();
  const { ids } = list;
  const { nodes, present } = await askPresence(deps, list.service, ids, signal);
  const findings = new Map(ids.map((hydraId, index) => [hydraId, present[index] === true]));
  const { fleet, queries, clock } = deps;
  const index = known === 'read' ? fleet.read() : fleet.current(nodes);
  const members = await untilAborted(index, signal);
  const records = new Map<string, string | undefined>();
  if (members !== known) {
    const others = othersIn(members, list);
    const found = await askPresence(deps, list.service, others, signal);
    for (const [at, hydraId] of others.entries()) findings.set(hydraId, found.present[at] === true);
    const wanted = [...findings.keys()].filter((hydraId) => findings.get(hydraId));
    const texts = await queries.records(wanted, signal);
    for (const [at, hydraId] of wanted.entries()) records.set(hydraId, texts[at]);
  }
  const changed = list.take({ present: findings, records }, clock.nowMs());
  return { changed, members, nodes };
}

async function askPresence(
  { clock, queries, leaseMs }: LookDeps,
  service: string,
  hydraIds: readonly string[],
  signal: AbortSignal,
): Promise<Presence> {
  const startedAtMs = clock.nowMs();
  const places = hydraIds.map((hydraId) => ({ service, hydraId }));
  const presence = await queries.presence(places, signal);
  // While Redis stood still nobody could renew.
  if (clock.nowMs() - startedAtMs > leaseMs / 2) {
    throw new RegistryError('registry_timeout', 'redis: an answer took half of a lease time');
  }
  return presence;
}

function othersIn({ services, unnamed }: Members, list: ServiceList): readonly string[] {
  const known = new Set(list.ids);
  return [...(services.get(list.service) ?? []), ...unnamed].filter((id) => !known.has(id));
}
