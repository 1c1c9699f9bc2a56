// The surroundings of one contract case: a registry of its own, agents on it, and records of what they saw.
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom } from '../../src/core/random.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import type { Driver } from '../../src/registry/driver.ts';
import type { Lease, LeaseTiming } from '../../src/registry/lease.ts';
import { openDriver } from '../../src/registry/open.ts';
import { Registry } from '../../src/registry/registry.ts';
import { eventually, type WaitOptions } from '../support/eventually.ts';
import type { ContractBackend, ContractRegistry } from './backend.ts';
import type { HolderOptions } from './holder.ts';

export type Holder = ChildProcessByStdio<Writable, Readable, null>;

export const service = 'payments';

/** Instance number `n` of the service; each has an address of its own. */
export function instanceOf(n: number, parts: Partial<Instance> = {}): Instance {
  const id = `payments-${n}`;
  return {
    service,
    id,
    host: '127.0.0.1',
    port: 10_000 + n,
    weight: 1,
    tags: [],
    meta: {},
    ...parts,
  };
}

/** Runs a case in a new world and takes it down, whatever came of it. */
export async function inWorld(
  backend: ContractBackend,
  options: { readonly own: boolean },
  run: (world: World) => Promise<void>,
): Promise<void> {
  const world = new World(backend, await backend.open(options));
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

export class World {
  readonly registry: ContractRegistry;
  readonly timing: LeaseTiming;
  readonly #endings: (() => Promise<void> | void)[] = [];

  constructor(backend: ContractBackend, registry: ContractRegistry) {
    this.registry = registry;
    this.timing = { ttlMs: backend.ttlMs, heartbeatMs: backend.heartbeatMs };
  }

  /** Called when the world ends, the latest first. */
  onEnd(ending: () => Promise<void> | void): void {
    this.#endings.unshift(ending);
  }

  /** What one agent has of the registry. */
  async agent(url = this.registry.url): Promise<Registry> {
    const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
    this.onEnd(() => registry.close());
    return registry;
  }

  /** A bare driver, for what no agent does. */
  async driver(): Promise<Driver> {
    const driver = await openDriver(this.registry.url, deps);
    this.onEnd(() => driver.close());
    return driver;
  }

  /** Resolves when all are registered. */
  async hold(agent: Registry, instances: readonly Instance[]): Promise<readonly Lease[]> {
    const leases = instances.map((instance) => agent.lease(instance, this.timing));
    for (const lease of leases) lease.acquire();
    await eventually('the leases are active', () => areActive(leases));
    return leases;
  }

  async watch(agent: Registry, watched = service): Promise<Recorder> {
    const recorder = new Recorder(agent, watched);
    this.onEnd(() => recorder.stop());
    await eventually('a first answer', () => recorder.latest.state === 'live');
    return recorder;
  }

  /** A process that holds the instance; resolves when it is registered. */
  async holder(instance: Instance, mode: HolderOptions['mode'] = 'hold'): Promise<Holder> {
    const options: HolderOptions = { url: this.registry.url, instance, timing: this.timing, mode };
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', holderPath, JSON.stringify(options)],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.onEnd(() => endHolder(child));
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await eventually('the process has registered', () => text.startsWith('active\n'));
    return child;
  }

  async close(): Promise<void> {
    for (const ending of this.#endings) await ending();
    await this.registry.close();
  }
}

/** All snapshots that a watcher got. */
export class Recorder {
  readonly #watching = new AbortController();
  readonly #agent: Registry;
  readonly #service: string;
  #latest: Snapshot;
  #fewest = Infinity;

  constructor(agent: Registry, watched: string) {
    this.#agent = agent;
    this.#service = watched;
    let latest: Snapshot | undefined;
    agent.watch(
      watched,
      (snapshot) => {
        latest = snapshot;
        this.#latest = snapshot;
        this.#fewest = Math.min(this.#fewest, snapshot.instances.length);
      },
      this.#watching.signal,
    );
    assert.ok(latest !== undefined, 'a watcher is called at once');
    this.#latest = latest;
  }

  get latest(): Snapshot {
    return this.#latest;
  }

  /** Records in the registry that are no instances. */
  get malformed(): number {
    const view = this.#agent.views().find((other) => other.service === this.#service);
    return view?.malformed ?? 0;
  }

  ids(): readonly string[] {
    return this.#latest.instances.map(({ id }) => id);
  }

  /** Waits until exactly these instances are there, and live. */
  async sees(instances: readonly Instance[], options?: WaitOptions): Promise<void> {
    const expected = instances.map(({ id }) => id).sort();
    const what = `exactly ${expected.length === 0 ? 'nothing' : expected.join(', ')}`;
    await eventually(
      `a watcher sees ${what}`,
      () => {
        const { state } = this.#latest;
        const found = [...this.ids()].sort();
        if (state === 'live' && found.join() === expected.join()) return true;
        throw new Error(`it sees ${state}: ${found.join(', ')}`);
      },
      options,
    );
  }

  /** From now on, `fewest` counts. */
  mark(): void {
    this.#fewest = this.#latest.instances.length;
  }

  /** The smallest number of instances in any snapshot since `mark`. */
  get fewest(): number {
    return this.#fewest;
  }

  stop(): void {
    this.#watching.abort();
  }
}

export function areActive(leases: readonly Lease[]): boolean {
  return leases.every(({ state }) => state.kind === 'active');
}

async function endHolder(child: Holder): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const holderPath = fileURLToPath(new URL('holder.ts', import.meta.url));

/** Each instance held by an agent of its own, as in life, and one more agent that watches and has seen them all. */
export async function holdAndWatch(
  world: World,
  instances: readonly Instance[],
): Promise<{ readonly leases: readonly Lease[]; readonly recorder: Recorder }> {
  const leases: Lease[] = [];
  for (const instance of instances) {
    leases.push(...(await world.hold(await world.agent(), [instance])));
  }
  const recorder = await world.watch(await world.agent());
  await recorder.sees(instances);
  recorder.mark();
  return { leases, recorder };
}
