// What is asked of every proxy: each workload by name, and one run of it.
import { fileURLToPath } from 'node:url';
import { cpuTime, loadCpu, runPinned } from './processes.ts';

/** Figures of one run, or of several. The CPU time is the proxy's alone and for one request; NaN where there is no such figure. */
export const figures = [
  'cpuUs',
  'userUs',
  'systemUs',
  'perSecond',
  'p50Ms',
  'p99Ms',
  'p999Ms',
  'failed',
] as const;
export type Figures = Record<(typeof figures)[number], number>;

export interface Workload {
  readonly title: string;
  readonly connections: number;
  /** As many as can be answered, as wrk.lua names them, after a mean delay if there is one; or small GETs at a constant rate. */
  readonly load:
    { readonly kind: string; readonly delayMs?: number } | { readonly ratePerS: number };
  /** Requests are counted by the bytes of their replies: few of them are whole when the run ends. */
  readonly replyBytes?: number;
}

export const smallGet: Workload = {
  title: 'small GET',
  connections: 64,
  load: { kind: 'get' },
};

export const workloads: ReadonlyMap<string, Workload> = new Map([
  ['small-1', { title: 'small GET', connections: 1, load: { kind: 'get' } }],
  ['small-64', smallGet],
  ['small-512', { title: 'small GET', connections: 512, load: { kind: 'get' } }],
  ['post-1k', { title: 'POST of 1 KB', connections: 64, load: { kind: 'post' } }],
  ['large-100k', { title: 'reply of 100 KB', connections: 64, load: { kind: '100k' } }],
  [
    'large-10m',
    { title: 'reply of 10 MB', connections: 8, load: { kind: '10m' }, replyBytes: 10_000_000 },
  ],
  ['new-connection', { title: 'one GET a connection', connections: 64, load: { kind: 'close' } }],
  [
    'mixed',
    {
      title: '8 small GETs : 1 POST : 1 reply of 100 KB',
      connections: 64,
      load: { kind: 'mixed' },
    },
  ],
  ['rate-1000', { title: '1,000 small GETs a second', connections: 64, load: { ratePerS: 1000 } }],
]);

/** Throws for a name that is none. */
export function workloadNamed(name: string): Workload {
  const workload = workloads.get(name);
  if (workload === undefined) {
    throw new Error(`no workload "${name}"; there are ${[...workloads.keys()].join(', ')}`);
  }
  return workload;
}

/** Percentiles need more requests than CPU time does. */
const rateFactor = 2;
const marginMs = 15_000;
const wrkScript = fileURLToPath(new URL('wrk.lua', import.meta.url));
const rateScript = fileURLToPath(new URL('../load.ts', import.meta.url));

interface Loaded {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
}

/** Runs the workload once against the port, where the process `pid` answers. */
export async function measure(
  { connections, load, replyBytes }: Workload,
  { port, pid }: { readonly port: number; readonly pid: number },
  seconds: number,
): Promise<Figures> {
  const before = cpuTime(pid);
  const loaded =
    'kind' in load
      ? await saturate(port, { connections, ...load, seconds })
      : await keepRate(port, { connections, ...load, seconds: seconds * rateFactor });
  const after = cpuTime(pid);
  const count = replyBytes === undefined ? loaded.requests : loaded.bytes / replyBytes;
  const userUs = (after.userUs - before.userUs) / count;
  const systemUs = (after.systemUs - before.systemUs) / count;
  return {
    cpuUs: userUs + systemUs,
    userUs,
    systemUs,
    perSecond: count / loaded.seconds,
    p50Ms: loaded.p50Ms ?? NaN,
    p99Ms: loaded.p99Ms ?? NaN,
    p999Ms: loaded.p999Ms ?? NaN,
    failed: loaded.failed,
  };
}

async function saturate(
  port: number,
  load: {
    readonly connections: number;
    readonly kind: string;
    readonly delayMs?: number;
    readonly seconds: number;
  },
): Promise<Loaded> {
  const flags = ['-t', '1', '-c', String(load.connections), '-d', `${load.seconds}s`];
  const command = ['wrk', ...flags, '-s', wrkScript, `http://127.0.0.1:${port}`];
  const timeoutMs = load.seconds * 1000 + marginMs;
  const env = { KIND: load.kind, DELAY_MS: String(load.delayMs ?? 0) };
  const text = await runPinned(loadCpu, command, { env, timeoutMs });
  return lastLine(text);
}

async function keepRate(
  port: number,
  load: { readonly connections: number; readonly ratePerS: number; readonly seconds: number },
): Promise<Loaded> {
  const flags = ['--rate', load.ratePerS, '--seconds', load.seconds, '--connections'];
  const script = [process.execPath, '--import', 'tsx', rateScript, String(port)];
  const command = [...script, ...flags.map(String), String(load.connections)];
  return lastLine(await runPinned(loadCpu, command, { timeoutMs: load.seconds * 1000 + marginMs }));
}

function lastLine(text: string): Loaded {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Loaded;
}
