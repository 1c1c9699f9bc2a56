// Which missing instances stay in the snapshot for a while: a registry that lost records must not empty a service that
// is alive. Pure; the Follower does the timing.
import type { Instance } from '../core/instance.ts';
import type { Reading } from './driver.ts';

/** Why an instance that the registry does not list is kept, and until when (monotonic ms). */
interface Hold {
  /** `sudden`: too many went at once to believe it. `outage`: the registry may have lost the record. */
  readonly reason: 'sudden' | 'outage';
  readonly untilMs: number;
}

/** What is known of a service: the instances of its snapshot, and which of them are only held, by instance id. */
export interface Holding {
  readonly instances: readonly Instance[];
  readonly held: ReadonlyMap<string, Hold>;
  /** Until then (monotonic ms) some agents may not have found the registry again after an outage. */
  readonly recoveringUntilMs: number;
}

export const nothingKnown: Holding = {
  instances: [],
  held: new Map(),
  recoveringUntilMs: -Infinity,
};

/** What came before a reading. After an outage absence proves nothing until every agent had the time for a heartbeat. */
export type Outage =
  | { readonly kind: 'none' }
  /** Following broke off, but the first read succeeded. */
  | { readonly kind: 'interrupted' }
  /** Reads have failed since then (monotonic ms). */
  | { readonly kind: 'away'; readonly sinceMs: number };

export interface HoldContext {
  readonly nowMs: number;
  readonly outage: Outage;
  /** The time that every living agent needs to register again. */
  readonly leaseMs: number;
  /** When a sudden loss is looked at again. */
  readonly confirmMs: number;
}

/** A loss is sudden when it is at least this many instances and more than half of the service, at once. */
const suddenLossMin = 3;

/**
 * The holding after a reading:
 * - listed instances replace everything known of their id and of their address;
 * - an instance that released itself is gone at once;
 * - after an outage, or when the backend lost its records, every missing instance is held for a lease time in which the
 *   registry is there, also one whose record ends only now because nobody could renew it;
 * - otherwise a sudden loss is held until the first reading after `confirmMs`, and a smaller one is believed.
 */
export function applyReading(before: Holding, reading: Reading, context: HoldContext): Holding {
  const missing = missingFrom(before.instances, reading);
  const newHold = holdForNew(before, reading, missing, context);
  const held = new Map<string, Hold>();
  const kept: Instance[] = [];
  for (const instance of missing) {
    const current = before.held.get(instance.id);
    const hold = current === undefined ? newHold : continued(current, reading, context);
    if (hold === undefined || hold.untilMs <= context.nowMs) continue;
    held.set(instance.id, hold);
    kept.push(instance);
  }
  const recoveringUntilMs = mayHaveLost(reading, context)
    ? context.nowMs + context.leaseMs
    : before.recoveringUntilMs;
  return { instances: [...reading.instances, ...kept], held, recoveringUntilMs };
}

/** The holding without an instance, if that one is only held; else the same holding. */
export function dropHeld(holding: Holding, instanceId: string): Holding {
  if (!holding.held.has(instanceId)) return holding;
  const held = new Map(holding.held);
  held.delete(instanceId);
  return { ...holding, instances: holding.instances.filter(({ id }) => id !== instanceId), held };
}

/** When the first hold ends, in monotonic ms; Infinity when nothing is held. */
export function firstHoldEndMs(holding: Holding): number {
  let endMs = Infinity;
  for (const { untilMs } of holding.held.values()) endMs = Math.min(endMs, untilMs);
  return endMs;
}

/** Those that are gone without having said so and whose address nobody else has taken over. */
function missingFrom(instances: readonly Instance[], reading: Reading): readonly Instance[] {
  const ids = new Set(reading.instances.map(({ id }) => id));
  const addresses = new Set(reading.instances.map(addressOf));
  return instances.filter(
    (instance) =>
      !ids.has(instance.id) &&
      !addresses.has(addressOf(instance)) &&
      reading.departed?.has(instance.id) !== true,
  );
}

/** Whether the registry may have lost records, or ended them while nobody could renew. */
function mayHaveLost(reading: Reading, { outage }: HoldContext): boolean {
  return outage.kind !== 'none' || reading.reset === true;
}

/** The hold of what is missing for the first time; undefined when the loss is believed. */
function holdForNew(
  before: Holding,
  reading: Reading,
  missing: readonly Instance[],
  context: HoldContext,
): Hold | undefined {
  if (mayHaveLost(reading, context)) return outageHold(context);
  if (context.nowMs < before.recoveringUntilMs) {
    return { reason: 'outage', untilMs: before.recoveringUntilMs };
  }
  const lost = missing.filter(({ id }) => !before.held.has(id)).length;
  const candidates = before.instances.filter(
    ({ id }) => !before.held.has(id) && reading.departed?.has(id) !== true,
  ).length;
  if (lost < suddenLossMin || lost <= candidates / 2) return undefined;
  return { reason: 'sudden', untilMs: context.nowMs + context.confirmMs };
}

/**
 * A hold that had begun before this reading. One for an outage lasts for a lease time in which the registry is there, in all:
 * a further outage stops that time and does not begin it anew, or a registry that fails now and then would keep the dead for
 * ever. Whoever lives has registered again within it.
 */
function continued(hold: Hold, reading: Reading, context: HoldContext): Hold {
  const { nowMs, outage } = context;
  if (hold.reason === 'sudden') return mayHaveLost(reading, context) ? outageHold(context) : hold;
  return outage.kind === 'away'
    ? { ...hold, untilMs: hold.untilMs + nowMs - outage.sinceMs }
    : hold;
}

function outageHold(context: HoldContext): Hold {
  return { reason: 'outage', untilMs: context.nowMs + context.leaseMs };
}

function addressOf(instance: Instance): string {
  return `${instance.host} ${instance.port}`;
}
