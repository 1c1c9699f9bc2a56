// Servers and deadlines for the tests of the probes.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Probe, ProbeResult } from '../../../src/health/probe.ts';

/** Longer than anything takes that should happen, so that a test that hangs fails. */
const patienceMs = 10_000;

/** The probe's result. Without `timeoutMs` it has to come by itself; with it the probe is aborted then, as by a health check. */
export async function runProbe(probe: Probe, timeoutMs?: number): Promise<ProbeResult> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error('timed out'));
  }, timeoutMs ?? patienceMs);
  try {
    const result = await probe.run(controller.signal);
    if (timeoutMs === undefined && controller.signal.aborted) throw new Error('the probe hung');
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** The text of a failure's cause; fails the test when the probe passed. */
export function causeOf(result: ProbeResult): string {
  if (result.ok) throw new Error('the probe passed');
  return result.cause;
}

/** Listens on a free port of the loopback address until the test ends. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A TCP server that does what `onConnection` does. */
export function rawServer(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  return listen(t, createServer(onConnection));
}

/** A port that refuses connections: it was free a moment ago. */
export async function refusingPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
