// The registries of the fleet benchmark: each is started for one fleet, with the id of its process where it has one.
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireConsul, startConsul } from '../test/servers/consul.ts';
import { requireEtcd, startEtcd } from '../test/servers/etcd.ts';
import { requireRedis, startRedis } from '../test/servers/redis.ts';

export interface FleetServer {
  /** Without parameters. */
  readonly url: string;
  /** Undefined for a registry without a server. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** A folder in memory, where there is one. */
const memory = '/dev/shm';

interface ServerKind {
  /** Why it cannot be had here, if it cannot. */
  available(): string | undefined;
  start(): Promise<FleetServer>;
}

/** In the order of the table. */
const serverKinds: ReadonlyMap<string, ServerKind> = new Map<string, ServerKind>([
  ['file', { available: () => undefined, start: startDirectory }],
  ['redis', { available: requireRedis, start: () => withPid(startRedis) }],
  // All agents of this fleet come from one address, which Consul would allow 200 connections.
  [
    'consul',
    {
      available: requireConsul,
      start: () =>
        withPid(() => startConsul({ config: { limits: { http_max_conns_per_client: 4000 } } })),
    },
  ],
  ['etcd', { available: requireEtcd, start: startEtcdInMemory }],
]);

export const serverNames: readonly string[] = [...serverKinds.keys()];

/** Why the registry cannot be had here, if it cannot. Throws for a name that is none. */
export function whyMissing(name: string): string | undefined {
  return kindOf(name).available();
}

export function startServer(name: string): Promise<FleetServer> {
  return kindOf(name).start();
}

function kindOf(name: string): ServerKind {
  const kind = serverKinds.get(name);
  if (kind === undefined) throw new Error(`no registry "${name}"; there are ${serverNames.join()}`);
  return kind;
}

async function startDirectory(): Promise<FleetServer> {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  return {
    url: `file://${directory}/registry`,
    pid: undefined,
    stop: () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** As Consul's data is: else the disk alone is measured. */
async function startEtcdInMemory(): Promise<FleetServer> {
  const directory = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'outrigger-bench-'));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const server = await withPid(() => startEtcd({ args: ['--data-dir', directory] }));
    return { ...server, stop: () => server.stop().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function withPid(start: () => Promise<Omit<FleetServer, 'pid'>>): Promise<FleetServer> {
  const before = new Set(childPids());
  const server = await start();
  const [pid] = childPids().filter((child) => !before.has(child));
  return { url: server.url, pid, stop: () => server.stop() };
}

function childPids(): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === process.pid);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(statOf(pid)[1]);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** CPU time that the process has used, of all its threads; in steps of 10 ms. */
export function cpuMsOf(pid: number): number {
  const fields = statOf(pid);
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10;
}

export function residentMbOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

/** The fields of proc(5)'s stat after the name, which may have spaces and brackets in it. */
function statOf(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
