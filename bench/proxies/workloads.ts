// What is asked of every proxy: each workload by name, and one run of it.
import { fileURLToPath } from 'node:url';
import { cpuTime, loadCpu, runPinned } from './processes.ts';

/** Figures of one run, or of several. The CPU time is the proxy's alone and for one request; NaN where there is no such figure. */
export const figures = ['cpuUs', 'userUs', 'systemUs', 'perSecond', 'lateP99Ms', 'failed'] as const;
export type Figures = Record<(typeof figures)[number], number>;

/** One run. Only at a constant rate are there latencies: one for each request that was answered. */
export interface Sample extends Figures {
  readonly latenciesMs: readonly number[];
}

export interface Workload {
  readonly title: string;
  readonly connections: number;
  /**
   * As many as can be answered, as wrk.lua names them, after a mean delay if there is one; small GETs at a constant rate; or
   * what a script of our own sends, of which not every proxy carries each.
   */
  readonly load:
    | { readonly kind: string; readonly delayMs?: number }
    | { readonly ratePerS: number }
    | { readonly script: 'load-websocket' | 'load-h2c' };
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
  [
    'websocket',
    {
      title: 'WebSocket message of 64 bytes and its echo',
      connections: 64,
      load: { script: 'load-websocket' },
    },
  ],
  [
    'h2c',
    {
      title: 'small GET over HTTP/2 without TLS, 8 streams a connection',
      connections: 8,
      load: { script: 'load-h2c' },
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

/** Percentiles need more requests than CPU time does: in four rounds of a second ten are above p99.9. */
const rateFactor = 2.75;
const marginMs = 15_000;
/** The load's own garbage is not to be collected while it measures. */
const nodeFlags = ['--max-semi-space-size=64', '--import', 'tsx'];
const wrkScript = fileURLToPath(new URL('wrk.lua', import.meta.url));

interface Loaded {
  /** False when the proxy has no such protocol. */
  readonly carried?: boolean;
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly failed: number;
  readonly latenciesMs?: readonly number[];
  /** What the load itself was late in sending. */
  readonly lateP99Ms?: number;
}

/** Runs the workload once against the port, where the process `pid` answers. All NaN when it is not carried there. */
export async function measure(
  workload: Workload,
  { port, pid }: { readonly port: number; readonly pid: number },
  seconds: number,
): Promise<Sample> {
  const { replyBytes } = workload;
  const before = cpuTime(pid);
  const loaded = await run(workload, port, seconds);
  const after = cpuTime(pid);
  const one = loaded.carried === false ? NaN : 1;
  const count = replyBytes === undefined ? loaded.requests : loaded.bytes / replyBytes;
  const userUs = (one * (after.userUs - before.userUs)) / count;
  const systemUs = (one * (after.systemUs - before.systemUs)) / count;
  return {
    cpuUs: userUs + systemUs,
    userUs,
    systemUs,
    perSecond: (one * count) / loaded.seconds,
    lateP99Ms: loaded.lateP99Ms ?? NaN,
    failed: one * loaded.failed,
    latenciesMs: loaded.latenciesMs ?? [],
  };
}

function run({ connections, load }: Workload, port: number, seconds: number): Promise<Loaded> {
  if ('kind' in load) return saturate(port, { connections, ...load, seconds });
  if ('script' in load) return runScript(load.script, { port, connections, seconds });
  const rate = ['--rate', String(load.ratePerS)];
  return runScript('load', { port, connections, seconds: seconds * rateFactor }, rate);
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

async function runScript(
  name: string,
  load: { readonly port: number; readonly connections: number; readonly seconds: number },
  flags: readonly string[] = [],
): Promise<Loaded> {
  const { port, connections, seconds } = load;
  const script = fileURLToPath(new URL(`../${name}.ts`, import.meta.url));
  const shared = [port, '--seconds', seconds, '--connections', connections].map(String);
  const node = [process.execPath, ...nodeFlags];
  const command = [...node, script, ...shared, ...flags];
  return lastLine(await runPinned(loadCpu, command, { timeoutMs: seconds * 1000 + marginMs }));
}

function lastLine(text: string): Loaded {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Loaded;
}
