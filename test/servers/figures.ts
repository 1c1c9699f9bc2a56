// What one registry costs its users in time, measured once with agents on its real server; prints JSON for the table.
//
//   node --import tsx test/servers/figures.ts NAME
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom as random } from '../../src/core/random.ts';
import type { ContractBackend, ContractRegistry } from '../contract/backend.ts';
import { instanceOf, World } from '../contract/world.ts';
import { Fleet } from '../e2e/agent-process.ts';
import { Load } from '../e2e/http-client.ts';
import { eventually } from '../support/eventually.ts';
import { registryTable } from './table.ts';

export interface Figures {
  readonly version: string;
  readonly registeredMedianMs: number;
  readonly registeredWorstMs: number;
  /** From the kill of a process to its absence, with leases of `ttlMs`. */
  readonly crashMs: number;
  readonly ttlMs: number;
  /** Calls made while the server was stopped for `outageMs`, and those of them that failed. */
  readonly calls: number;
  readonly failures: number;
  readonly outageMs: number;
}

/** The head of the table says it too. */
const registrations = 50;
const callsPerSecond = 50;
const patient = { deadlineMs: 30_000 };

async function measure(backend: ContractBackend): Promise<Figures> {
  const { ttlMs } = backend;
  const version = (await backend.version?.()) ?? '';
  try {
    const registered = await measureRegistration(backend);
    const crashMs = await measureCrash(backend);
    const outage = await measureOutage(backend);
    return { version, ttlMs, crashMs, ...registered, ...outage };
  } finally {
    await backend.close();
  }
}

async function measureRegistration(
  backend: ContractBackend,
): Promise<Pick<Figures, 'registeredMedianMs' | 'registeredWorstMs'>> {
  return inWorld(backend, false, async (world) => {
    const agent = await world.agent();
    const recorder = await world.watch(await world.agent());
    const samples: number[] = [];
    for (let number = 0; number < registrations; number++) {
      const instance = instanceOf(number);
      const lease = agent.lease(instance, world.timing);
      const startedMs = performance.now();
      lease.acquire();
      await eventually('it is seen', () => recorder.ids().includes(instance.id), {
        ...patient,
        everyMs: 0.5,
      });
      samples.push(performance.now() - startedMs);
      await lease.release(5000);
      await sleep(10 + random() * 40);
    }
    samples.sort((a, b) => a - b);
    return {
      registeredMedianMs: samples[Math.floor(samples.length / 2)] ?? NaN,
      registeredWorstMs: samples.at(-1) ?? NaN,
    };
  });
}

async function measureCrash(backend: ContractBackend): Promise<number> {
  return inWorld(backend, false, async (world) => {
    const recorder = await world.watch(await world.agent());
    const holder = await world.holder(instanceOf(1));
    await recorder.sees([instanceOf(1)], patient);
    const startedMs = performance.now();
    holder.kill('SIGKILL');
    await recorder.sees([], patient);
    return performance.now() - startedMs;
  });
}

/** Agents with apps, and calls at a constant rate while the server is stopped for one and a half lease times. */
async function measureOutage(
  backend: ContractBackend,
): Promise<Pick<Figures, 'calls' | 'failures' | 'outageMs'>> {
  const endings: (() => unknown)[] = [];
  const t = { after: (ending: () => unknown) => void endings.unshift(ending) };
  const outageMs = backend.ttlMs * 1.5;
  const registry = await backend.open({ own: true });
  try {
    const fleet = new Fleet(t);
    const flags = ['--ttl', `${backend.ttlMs}ms`, '--heartbeat', `${backend.heartbeatMs}ms`];
    const agent = { registry: registry.url, flags };
    const [caller] = await Promise.all([
      fleet.start(agent),
      fleet.startRegistered({ ...agent, service: 'payments', name: 'payments-1' }),
      fleet.startRegistered({ ...agent, service: 'payments', name: 'payments-2' }),
    ]);
    const load = new Load(t, callsPerSecond, () => ({
      port: caller.proxyPort,
      path: '/payments/',
    }));
    await eventually('both serve', () => load.served.size === 2, patient);
    const before = load.sent;
    await beAway(registry, outageMs);
    await sleep(backend.ttlMs);
    await load.stop();
    return { calls: load.sent - before, failures: load.failures.length, outageMs };
  } finally {
    for (const end of endings) await end();
    await registry.close();
  }
}

/** Hangs where it can, else restarts; a directory does neither and is emptied. */
async function beAway(registry: ContractRegistry, outageMs: number): Promise<void> {
  if (registry.pause !== undefined) {
    await registry.pause();
    await sleep(outageMs);
    await registry.resume?.();
  } else if (registry.restartWithData !== undefined) {
    await registry.restartWithData(outageMs);
  } else {
    await registry.restartEmpty?.();
    await sleep(outageMs);
  }
}

async function inWorld<T>(
  backend: ContractBackend,
  own: boolean,
  run: (world: World) => Promise<T>,
): Promise<T> {
  const world = new World(backend, await backend.open({ own }));
  try {
    return await run(world);
  } finally {
    await world.close();
  }
}

const name = process.argv[2];
const backend = await registryTable.find((entry) => entry.name === name)?.backend?.();
if (backend === undefined) throw new Error(`no registry of the table is called ${name ?? ''}`);
process.stdout.write(`${JSON.stringify(await measure(backend))}\n`);
