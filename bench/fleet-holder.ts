// A process of the fleet benchmark with many simulated agents: each has a driver of its own, and holds several instances.
import { setMaxListeners } from 'node:events';
import { systemClock as clock } from '../src/core/clock.ts';
import type { Instance } from '../src/core/instance.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import type { Lease } from '../src/registry/lease.ts';
import { openDriver } from '../src/registry/open.ts';
import { Registry } from '../src/registry/registry.ts';
import { answerParent } from './fleet-child.ts';

/** What all processes of a fleet agree on. Instance `n` is of service `n / instancesPerService` and agent `n % agents`. */
export interface FleetShape {
  readonly url: string;
  readonly instances: number;
  readonly instancesPerService: number;
  readonly agents: number;
  readonly holders: number;
}

/** Since the process's start; `active` now. */
export interface HolderFigures {
  readonly renewalsOk: number;
  readonly renewalsFailed: number;
  readonly losses: number;
  readonly active: number;
  /** Of a lease that is in trouble now. */
  readonly lastError?: string;
}

/** An instance that is to be replaced, and when. */
export interface Turn {
  readonly number: number;
  readonly afterMs: number;
}

export interface HolderQuestions {
  /** With `deadlineMs`: registers the instances in order until then. Answers how many it has registered. */
  register: number;
  figures: HolderFigures;
  /** With `turns`: stops instances as in a deploy, each with another in its place. Answers how many were replaced. */
  change: number;
}

type Question =
  | { readonly kind: 'register'; readonly deadlineMs: number }
  | { readonly kind: 'figures' }
  | { readonly kind: 'change'; readonly turns: readonly Turn[] };

/** Registrations that are under way at once: a fleet's agents do not all start at the same moment. */
const startingMax = 8;
/** Between the end of an instance and the start of the next one at its address. */
const restartMs = 500;
const releaseMs = 2000;
const activeMs = 5000;

const shape = JSON.parse(process.argv[2] ?? '{}') as FleetShape;
const holder = Number(process.argv[3]);
const agents = new Map<number, Promise<Registry>>();
const leases: Lease[] = [];
/** By instance number. */
const current = new Map<number, Lease>();

answerParent(async (asked) => {
  const question = asked as Question;
  switch (question.kind) {
    case 'register':
      return registerAll(AbortSignal.timeout(question.deadlineMs));
    case 'figures':
      return figures();
    case 'change': {
      const replaced = await Promise.all(question.turns.map(replace));
      return replaced.filter(Boolean).length;
    }
  }
});

async function registerAll(deadline: AbortSignal): Promise<number> {
  setMaxListeners(startingMax, deadline);
  const numbers = ownNumbers();
  const workers = Array.from({ length: startingMax }, async () => {
    for (const number of numbers) {
      await untilActive(await hold(number), deadline);
      if (deadline.aborted) return;
    }
  });
  await Promise.all(workers);
  return figures().active;
}

function* ownNumbers(): Generator<number> {
  for (let number = 0; number < shape.instances; number++) {
    if ((number % shape.agents) % shape.holders === holder) yield number;
  }
}

async function hold(number: number): Promise<Lease> {
  const registry = await agentOf(number);
  const lease = registry.lease(instanceOf(number), registry.capabilities);
  leases.push(lease);
  current.set(number, lease);
  lease.acquire();
  return lease;
}

function agentOf(number: number): Promise<Registry> {
  const index = number % shape.agents;
  const agent = agents.get(index) ?? openAgent();
  agents.set(index, agent);
  return agent;
}

async function openAgent(): Promise<Registry> {
  const driver = await openDriver(shape.url, { clock, random, logger });
  return new Registry({ driver, clock, random, logger });
}

async function replace({ number, afterMs }: Turn): Promise<boolean> {
  const before = current.get(number);
  if (before?.state.kind !== 'active') return false;
  await clock.sleep(afterMs);
  await before.release(releaseMs);
  await clock.sleep(restartMs);
  return untilActive(await hold(number), AbortSignal.timeout(activeMs));
}

/** Resolves with whether it is, at the latest when the signal aborts. */
function untilActive(lease: Lease, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const look = (): void => {
      const isActive = lease.state.kind === 'active';
      if (!isActive && !signal.aborted) return;
      leave();
      signal.removeEventListener('abort', look);
      resolve(isActive);
    };
    const leave = lease.onChange(look);
    signal.addEventListener('abort', look);
    look();
  });
}

function figures(): HolderFigures {
  const sum = { renewalsOk: 0, renewalsFailed: 0, losses: 0, active: 0 };
  let lastError: string | undefined;
  for (const { counters, state } of leases) {
    sum.renewalsOk += counters.renewalsOk;
    sum.renewalsFailed += counters.renewalsFailed;
    sum.losses += counters.losses;
    if (state.kind === 'active') sum.active++;
    if (state.kind === 'suspect' || state.kind === 'acquiring')
      lastError = state.lastError?.message ?? lastError;
  }
  return { ...sum, ...(lastError !== undefined && { lastError }) };
}

function instanceOf(number: number): Instance {
  const service = `fleet-${Math.floor(number / shape.instancesPerService)}`;
  // Addresses for benchmarks (RFC 2544).
  const host = `198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  const startedAtMs = clock.wallMs();
  return {
    service,
    id: `${service}-${host}-8080-${startedAtMs.toString(36)}`,
    host,
    port: 8080,
    weight: 1,
    tags: ['v2'],
    meta: { commit: 'f3c1a9e', owner: 'payments' },
    version: '2.4.1',
    zone: 'eu-west-1a',
    startedAtMs,
  };
}
