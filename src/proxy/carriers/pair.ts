// A Pair: a client's and an instance's socket that are joined, watched until both have ended.
import type { Socket } from 'node:net';

/** After one side has ended its half, the other may be silent for this long. */
const halfClosedIdleMs = 60_000;

/** `ended`: both sides have ended in order. `client`, `instance`: that side broke off. */
export type PairOutcome = 'ended' | 'client' | 'instance';

/** Calls back once, when both sockets are closed. A side that breaks off takes the other with it. */
export function watchPair(
  client: Socket,
  instance: Socket,
  onOver: (outcome: PairOutcome) => void,
): void {
  let outcome: PairOutcome = 'ended';
  let open = 2;
  const watch = (side: Socket, other: Socket, name: 'client' | 'instance'): void => {
    side.setTimeout(0);
    side.setNoDelay(true);
    side.on('error', () => undefined);
    side.on('timeout', () => side.destroy());
    side.once('end', () => {
      client.setTimeout(halfClosedIdleMs);
      instance.setTimeout(halfClosedIdleMs);
    });
    side.once('close', () => {
      const inOrder = side.readableEnded && side.writableFinished;
      if (!inOrder && outcome === 'ended' && open === 2) outcome = name;
      if (!inOrder) other.destroy();
      open--;
      if (open === 0) onOver(outcome);
    });
  };
  watch(client, instance, 'client');
  watch(instance, client, 'instance');
}
