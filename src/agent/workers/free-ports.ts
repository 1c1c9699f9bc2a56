// Ports for listeners that may have any: chosen once, so that a worker that comes later listens where the others do.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { Address } from '../../core/address.ts';
import type { StartOrder } from './messages.ts';

type Places = Pick<StartOrder['proxy'], 'listen' | 'upstreamListeners'>;

/** The same places with free ports in place of 0. Somebody else may take one before it is listened on. */
export async function withFreePorts<P extends Places>(proxy: P): Promise<P> {
  const probes: Server[] = [];
  const choose = async (address: Address): Promise<Address> => {
    if (address.port !== 0) return address;
    const probe = createServer().listen(address);
    probes.push(probe);
    await once(probe, 'listening');
    const bound = probe.address();
    return { ...address, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  };
  try {
    const listen = await choose(proxy.listen);
    const upstreamListeners: P['upstreamListeners'][number][] = [];
    for (const { on, ...listener } of proxy.upstreamListeners) {
      const place = 'path' in on ? on : { address: await choose(on.address) };
      upstreamListeners.push({ ...listener, on: place });
    }
    return { ...proxy, listen, upstreamListeners };
  } finally {
    await Promise.all(probes.map(close));
  }
}

export function hasAnyPort({ listen, upstreamListeners }: Places): boolean {
  return (
    listen.port === 0 ||
    upstreamListeners.some(({ on }) => 'address' in on && on.address.port === 0)
  );
}

function close(probe: Server): Promise<void> {
  return new Promise((resolve) => {
    probe.close(() => {
      resolve();
    });
  });
}
