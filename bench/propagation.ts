// Register → routable: how long until another agent's proxy may choose a new instance, and may no longer after a release.
//
//   npm run bench:propagation [-- --json]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../src/core/clock.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import { openDriver } from '../src/registry/open.ts';
import { Registry } from '../src/registry/registry.ts';
import { requireRedis, startRedis } from '../test/servers/redis.ts';
import type { Sighting } from './propagation-watcher.ts';

const registrations = 200;
const goalMs = 10;
const watcherScript = fileURLToPath(new URL('propagation-watcher.ts', import.meta.url));

interface Row {
  readonly registry: string;
  readonly what: string;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Another process that has the service in use as a proxy has it, and tells when its choice of instances changes. */
class Watcher {
  readonly #child;
  readonly #seen = new Map<string, (atNs: bigint) => void>();

  constructor(url: string) {
    this.#child = fork(watcherScript, [url], { execArgv: ['--import', 'tsx'] });
    this.#child.on('message', ({ id, there, atNs }: Sighting) => {
      this.#seen.get(`${id} ${String(there)}`)?.(BigInt(atNs));
    });
  }

  /** Resolves with the moment, on the clock that all processes of a host share. */
  sees(id: string, there: boolean): Promise<bigint> {
    return new Promise((resolve) => this.#seen.set(`${id} ${String(there)}`, resolve));
  }

  async close(): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}

async function measure(registryName: string, url: string): Promise<Row[]> {
  const driver = await openDriver(url, { clock, random, logger });
  const registry = new Registry({ driver, clock, random, logger });
  const { ttlMs, heartbeatMs } = registry.capabilities;
  const watcher = new Watcher(url);
  const registered: number[] = [];
  const released: number[] = [];
  for (let number = -1; number < registrations; number++) {
    const id = `bench-${number}`;
    const instance = { service: 'bench', id, host: '127.0.0.1', port: 10_000 + number };
    const lease = registry.lease(
      { ...instance, weight: 1, tags: [], meta: {} },
      { ttlMs, heartbeatMs },
    );
    const toHere = await timed(watcher.sees(id, true), () => lease.acquire());
    const toGone = await timed(watcher.sees(id, false), () => void lease.release(2000));
    // The first one also waits for the watcher's start.
    if (number >= 0) registered.push(toHere);
    if (number >= 0) released.push(toGone);
    await sleep(20 + random() * 40);
  }
  await watcher.close();
  await registry.close();
  return [
    summarize(registryName, 'register → routable', registered),
    summarize(registryName, 'release → not routable', released),
  ];
}

async function timed(seen: Promise<bigint>, act: () => void): Promise<number> {
  const startedNs = process.hrtime.bigint();
  act();
  return Number((await seen) - startedNs) / 1e6;
}

function summarize(registry: string, what: string, samples: readonly number[]): Row {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { registry, what, medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function main(): Promise<void> {
  const rows: Row[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  rows.push(...(await measure('file:', `file://${directory}/registry`)));
  rmSync(directory, { recursive: true });
  const missing = requireRedis();
  if (missing === undefined) {
    const redis = await startRedis();
    rows.push(...(await measure('redis:', redis.url)));
    await redis.stop();
  } else {
    console.error(`left out: redis: (${missing})`);
  }
  print(rows);
}

function print(rows: readonly Row[]): void {
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify(rows, null, 2));
    return;
  }
  console.log(`${registrations} registrations; goal: p99 of register → routable ≤ ${goalMs} ms\n`);
  console.log('registry  what                      median ms    p99 ms    max ms');
  for (const { registry, what, medianMs, p99Ms, maxMs } of rows) {
    const figures = [medianMs, p99Ms, maxMs].map((ms) => ms.toFixed(2).padStart(10)).join('');
    console.log(`${registry.padEnd(10)}${what.padEnd(25)}${figures}`);
  }
}

await main();
