// Clients that connect and then do nothing.
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually } from './eventually.ts';

/** Connects so many at once; resolves when the server has closed so many of them, and the test ends the others. */
export async function untilClosed(
  t: Pick<TestContext, 'after'>,
  server: { readonly host: string; readonly port: number },
  clients: number,
  closed: number,
): Promise<void> {
  let count = 0;
  const sockets = Array.from({ length: clients }, () => connect(server));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket.on('close', () => count++);
  }
  await eventually(`${closed} of ${clients} are closed`, () => count === closed);
}
