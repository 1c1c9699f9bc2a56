// The processes of the footprint benchmark: started, looked at, called and ended. None outlives the benchmark.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const fleetScript = fileURLToPath(new URL('footprint-fleet.ts', import.meta.url));
/** After this time without work, the memory is read. */
const settleMs = 1000;
const startWaitMs = 30_000;
/** As many connections are opened at a time. */
const atOnce = 20;

const running = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Started {
  readonly child: ChildProcess;
  readonly startMs: number;
  /** The first line on stdout. */
  readonly line: string;
}

/** Runs node with these arguments; resolves at its first line. Rejects when it ends before that. */
export async function start(args: readonly string[]): Promise<Started> {
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  });
  running.add(child);
  const line = await beforeEnd(child, once(createInterface(child.stdout), 'line'));
  return { child, startMs: performance.now() - startedAtMs, line: String(line) };
}

/** The process that has registered all instances; they end with it, and it with the benchmark. */
export async function startFleet(registry: string, instances: number): Promise<ChildProcess> {
  const execArgv = ['--import', 'tsx'];
  const fleet = fork(fleetScript, [registry, String(instances)], { execArgv });
  running.add(fleet);
  await beforeEnd(fleet, once(fleet, 'message'));
  return fleet;
}

async function beforeEnd(child: ChildProcess, event: Promise<unknown[]>): Promise<unknown> {
  const settled = new AbortController();
  const ended = once(child, 'exit', { signal: settled.signal }).then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${String(code)}`);
  });
  const late = sleep(startWaitMs, undefined, { signal: settled.signal }).then(() => {
    throw new Error(`${child.spawnargs.join(' ')} did not start`);
  });
  try {
    return (await Promise.race([event, ended, late]))[0];
  } finally {
    settled.abort();
    for (const loser of [ended, late]) loser.catch(() => undefined);
  }
}

export async function end(child: ChildProcess): Promise<void> {
  if (!running.delete(child) || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Resident memory, when the process has had time to come to rest. */
export async function settledMb({ pid }: ChildProcess): Promise<number> {
  await sleep(settleMs);
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

/** Makes the agent know the service without its HTTP client, which a tunnel does not use. */
export async function openTunnel(port: number, service: string): Promise<void> {
  const tunnel = request({ port, method: 'CONNECT', path: `${service}:80` }).end();
  const [response, socket] = (await once(tunnel, 'connect')) as [IncomingMessage, Socket];
  socket.destroy();
  if (response.statusCode !== 200) throw new Error(`CONNECT: ${response.statusCode ?? 0}`);
}

/** Opens connections that stay, and makes one request on each. Returns how to close them and to wait until they are. */
export async function openConnections(
  port: number,
  host: string,
  count: number,
): Promise<() => Promise<void>> {
  const sockets: Socket[] = [];
  const worker = async (): Promise<void> => {
    while (sockets.length < count) {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const [reply] = (await once(socket, 'data')) as [Buffer];
      if (!reply.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(reply.toString());
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return async () => {
    const closed = sockets.map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
}
