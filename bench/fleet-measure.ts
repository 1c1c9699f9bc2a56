// One fleet on one registry: registered, at rest, while a hundredth of it changes, and while only what is watched changes.
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/core/errors.ts';
import { Child } from './fleet-child.ts';
import type { FleetShape, HolderFigures, HolderQuestions, Turn } from './fleet-holder.ts';
import { cpuMsOf, residentMbOf, type FleetServer } from './fleet-servers.ts';
import type { WatcherFigures, WatcherQuestions } from './fleet-watcher.ts';

export interface FleetSize {
  readonly services: number;
  readonly instancesPerService: number;
  readonly agents: number;
  readonly holders: number;
  /** Services that the watcher watches. */
  readonly watched: number;
  readonly ttlSeconds: number;
  readonly heartbeatSeconds: number;
  /** The fleet is registered until then, or as far as it comes. */
  readonly registerDeadlineMs: number;
}

/** What happened during a phase. */
export interface Phase {
  readonly seconds: number;
  /** Instances that were replaced, of all and of the watched services. */
  readonly replaced: number;
  readonly replacedOfWatched: number;
  readonly heartbeats: number;
  readonly failedHeartbeats: number;
  readonly losses: number;
  /** Of a lease that was in trouble at the end. */
  readonly lastError: string | undefined;
  readonly serverCpuMs: number | undefined;
  readonly agentsCpuMs: number;
  readonly watcher: WatcherFigures;
}

/** Filled as far as the measuring came; `trouble` says why not further. */
export interface FleetRow extends FleetSize {
  readonly registry: string;
  readonly instances: number;
  registered?: number;
  registerSeconds?: number;
  registerServerCpuMs?: number | undefined;
  serverMb?: number | undefined;
  agentsMb?: number;
  rest?: Phase;
  /** A hundredth of the fleet is replaced, evenly. */
  fleetChange?: Phase;
  /** A fixed number of the watched services' instances is replaced. */
  watchedChange?: Phase;
  trouble?: string;
}

/** A watcher that has just started costs more than later. */
const warmUpMs = 4000;
const restSeconds = 15;
const spreadMs = 5000;
/** After the last change, for its news. */
const settleMs = 1000;
/** Phases, starts and ends besides registering; more means that something hangs. */
const slackMs = 70_000;
const knownDeadlineMs = 15_000;
const watchedChangesMax = 100;

interface Fleet {
  readonly size: FleetSize;
  readonly server: FleetServer;
  readonly holders: readonly Child<HolderQuestions>[];
}

interface Running extends Fleet {
  readonly watcher: Child<WatcherQuestions>;
}

/** Never rejects; everything that it started has ended when it resolves. */
export async function measureFleet(
  registry: string,
  startServer: () => Promise<FleetServer>,
  size: FleetSize,
  stopped: AbortSignal,
): Promise<FleetRow> {
  const instances = size.services * size.instancesPerService;
  const row: FleetRow = { registry, ...size, instances };
  const late = AbortSignal.timeout(size.registerDeadlineMs + slackMs);
  const endings: (() => Promise<void>)[] = [];
  try {
    stopped.throwIfAborted();
    const server = await startServer();
    endings.unshift(() => server.stop());
    const { instancesPerService, agents, ttlSeconds, heartbeatSeconds } = size;
    const url = `${server.url}?ttl=${ttlSeconds}s&heartbeat=${heartbeatSeconds}s`;
    const shape = { url, instances, instancesPerService, agents, holders: size.holders };
    const holders = startHolders(shape);
    endings.unshift(async () => {
      await Promise.all(holders.map((holder) => holder.end()));
    });
    const signal = AbortSignal.any([stopped, late]);
    const fleet = { size, server, holders };
    await register(fleet, row, signal);
    const watcher = new Child<WatcherQuestions>('fleet-watcher.ts', [url, String(size.watched)]);
    endings.unshift(() => watcher.end());
    await measurePhases({ ...fleet, watcher }, row, signal);
  } catch (error) {
    row.trouble = late.aborted ? 'not done in time' : messageOf(error);
  }
  for (const end of endings) await end();
  return row;
}

function startHolders(shape: FleetShape): readonly Child<HolderQuestions>[] {
  return Array.from(
    { length: shape.holders },
    (_, index) => new Child('fleet-holder.ts', [JSON.stringify(shape), String(index)]),
  );
}

async function register(fleet: Fleet, row: FleetRow, signal: AbortSignal): Promise<void> {
  const { holders, server, size } = fleet;
  // They have started when they answer.
  await holderFigures(fleet, signal);
  const cpuBeforeMs = serverCpuMs(server);
  const startedMs = performance.now();
  const deadlineMs = size.registerDeadlineMs;
  const registered = await Promise.all(
    holders.map((holder) => holder.ask({ kind: 'register', deadlineMs }, signal)),
  );
  row.registered = sum(registered);
  row.registerSeconds = (performance.now() - startedMs) / 1000;
  row.registerServerCpuMs = difference(serverCpuMs(server), cpuBeforeMs);
}

async function measurePhases(fleet: Running, row: FleetRow, signal: AbortSignal): Promise<void> {
  const { size, server, holders } = fleet;
  // They are registered in order, so the first ones are there even when the deadline came before the last ones.
  const registered = row.registered ?? 0;
  const watched = Math.min(size.watched * size.instancesPerService, registered);
  await watcherKnows(fleet, watched, signal);
  await sleep(warmUpMs, undefined, { signal });
  row.rest = await measurePhase(fleet, [], signal);
  row.serverMb = server.pid === undefined ? undefined : residentMbOf(server.pid);
  row.agentsMb = sum(holders.map(({ pid }) => residentMbOf(pid ?? 0)));
  row.fleetChange = await measurePhase(fleet, turnsOf(everyNth(registered, 100)), signal);
  const step = Math.max(1, Math.ceil(watched / watchedChangesMax));
  row.watchedChange = await measurePhase(fleet, turnsOf(everyNth(watched, step)), signal);
}

async function watcherKnows(fleet: Running, count: number, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + knownDeadlineMs;
  while ((await fleet.watcher.ask({ kind: 'figures' }, signal)).instances < count) {
    if (performance.now() > endMs) throw new Error('the watcher does not learn its services');
    await sleep(100, undefined, { signal });
  }
}

/** Without turns the phase is a time of rest. */
async function measurePhase(
  fleet: Running,
  turns: readonly Turn[],
  signal: AbortSignal,
): Promise<Phase> {
  const before = await look(fleet, signal);
  const replaced = turns.length === 0 ? 0 : await change(fleet, turns, signal);
  await sleep(turns.length === 0 ? restSeconds * 1000 : settleMs, undefined, { signal });
  const after = await look(fleet, signal);
  const watched = fleet.size.watched * fleet.size.instancesPerService;
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    replaced,
    replacedOfWatched: turns.filter(({ number }) => number < watched).length,
    heartbeats: after.held.renewalsOk - before.held.renewalsOk,
    failedHeartbeats: after.held.renewalsFailed - before.held.renewalsFailed,
    losses: after.held.losses - before.held.losses,
    lastError: after.held.lastError,
    serverCpuMs: difference(after.serverCpuMs, before.serverCpuMs),
    agentsCpuMs: after.agentsCpuMs - before.agentsCpuMs,
    watcher: {
      cpuMs: after.watcher.cpuMs - before.watcher.cpuMs,
      reads: after.watcher.reads - before.watcher.reads,
      changes: after.watcher.changes - before.watcher.changes,
      snapshots: after.watcher.snapshots - before.watcher.snapshots,
      receivedBytes: after.watcher.receivedBytes - before.watcher.receivedBytes,
      receives: after.watcher.receives - before.watcher.receives,
      instances: after.watcher.instances,
    },
  };
}

/** Answers how many were replaced. */
async function change(
  { size, holders }: Running,
  turns: readonly Turn[],
  signal: AbortSignal,
): Promise<number> {
  const replaced = holders.map((holder, index) => {
    const own = turns.filter(({ number }) => (number % size.agents) % size.holders === index);
    return holder.ask({ kind: 'change', turns: own }, signal);
  });
  return sum(await Promise.all(replaced));
}

async function look(fleet: Running, signal: AbortSignal) {
  const { watcher, server, holders } = fleet;
  const held = await holderFigures(fleet, signal);
  return {
    held,
    watcher: await watcher.ask({ kind: 'figures' }, signal),
    serverCpuMs: serverCpuMs(server),
    agentsCpuMs: sum(holders.map(({ pid }) => cpuMsOf(pid ?? 0))),
    atMs: performance.now(),
  };
}

async function holderFigures(
  { holders }: Pick<Fleet, 'holders'>,
  signal: AbortSignal,
): Promise<HolderFigures> {
  const all = await Promise.all(holders.map((holder) => holder.ask({ kind: 'figures' }, signal)));
  const total = (figure: Exclude<keyof HolderFigures, 'lastError'>): number =>
    sum(all.map((one) => one[figure]));
  const lastError = all.map((one) => one.lastError).find((error) => error !== undefined);
  return {
    ...(lastError !== undefined && { lastError }),
    renewalsOk: total('renewalsOk'),
    renewalsFailed: total('renewalsFailed'),
    losses: total('losses'),
    active: total('active'),
  };
}

function serverCpuMs({ pid }: FleetServer): number | undefined {
  return pid === undefined ? undefined : cpuMsOf(pid);
}

function turnsOf(numbers: readonly number[]): readonly Turn[] {
  return numbers.map((number, index) => ({ number, afterMs: (index * spreadMs) / numbers.length }));
}

function everyNth(count: number, step: number): readonly number[] {
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}
