// Opens the socket to one server.
import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { formatAddress, type Address } from '../../../../core/address.ts';
import { messageOf, RegistryError } from '../../../../core/errors.ts';
import type { TlsFiles } from '../../../tls-files.ts';

const keepAliveMs = 10_000;

/**
 * Resolves when the connection, and the TLS handshake if there is one, is made. Rejects with a RegistryError, having closed
 * the socket; ends as soon as the signal aborts.
 */
export async function dial(
  address: Address,
  tls: TlsFiles | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = address;
  const socket =
    tls === undefined
      ? connect({ host, port })
      : connectTls({
          host,
          port,
          ...(isIP(host) === 0 && { servername: host }),
          ...tls,
          rejectUnauthorized: true,
        });
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect', { signal });
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    const where = `zookeeper: ${formatAddress(address)}`;
    throw signal.aborted
      ? new RegistryError('registry_timeout', `${where}: no connection in time`, { cause: error })
      : new RegistryError('registry_unreachable', `${where}: ${messageOf(error)}`, {
          cause: error,
        });
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
}
