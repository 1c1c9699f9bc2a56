// Opens a server on a port or a unix socket, with an error that a person can act on when it cannot be opened.
import { stat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { formatAddress, type Address } from '../core/address.ts';
import { ConfigError, messageOf, systemCodeOf } from '../core/errors.ts';

export type ListenPlace = { readonly address: Address } | { readonly path: string };

/** `origin`: the flag or key that asked for the place, for the error. Fails with a ConfigError. */
export async function listenOn(server: Server, place: ListenPlace, origin: string): Promise<void> {
  try {
    if ('path' in place) await removeStaleSocket(place.path);
    await listen(server, place);
  } catch (error) {
    const name = 'path' in place ? place.path : formatAddress(place.address);
    const code = systemCodeOf(error) ?? '';
    const why = explanations[code] ?? messageOf(error);
    throw new ConfigError(`${origin} ${name}: ${why}`, { cause: error });
  }
}

/** How the explanation of a taken address begins. */
export const takenAddress = 'another process listens there';

const explanations: Readonly<Record<string, string>> = {
  EADDRINUSE: `${takenAddress}; stop it or choose another (port 0 is any free one)`,
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'no permission to listen there',
  ENOENT: 'the directory does not exist',
  ENOTFOUND: 'the host name is unknown',
};

function listen(server: Server, place: ListenPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen('path' in place ? { path: place.path } : place.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket file that outlived its process is removed; one that somebody answers on is left, and so is any other file. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isSocket() === true && !(await isAnswered(path))) await unlink(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) => {
      resolve(systemCodeOf(error) !== 'ECONNREFUSED');
    });
  });
}
