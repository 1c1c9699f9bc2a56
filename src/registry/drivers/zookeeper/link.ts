// A connection that works, with the session that it belongs to and what is watched over it.
import type { Address } from '../../../core/address.ts';
import type { Clock } from '../../../core/clock.ts';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import { passwordOf } from '../../password.ts';
import type { ZooKeeperLocation } from './location.ts';
import { Connection, type SessionTicket } from './protocol/connection.ts';
import { dial } from './protocol/dial.ts';
import { Nodes } from './protocol/nodes.ts';
import { Views } from './views.ts';

export interface Link {
  readonly connection: Connection;
  readonly nodes: Nodes;
  /** What is watched: watches end with their connection. */
  readonly views: Views;
  /** The session is the owner of the ephemeral nodes that are made through it. */
  readonly ticket: SessionTicket;
  readonly timeoutMs: number;
}

/**
 * Connects to the server and opens a session, or resumes that of the ticket. `expired`: it is no more. Rejects with a
 * RegistryError, having closed everything; ends as soon as the signal aborts with one.
 */
export async function openLink(
  { clock, location }: { readonly clock: Clock; readonly location: ZooKeeperLocation },
  server: Address,
  ticket: SessionTicket,
  signal: AbortSignal,
): Promise<Link | 'expired'> {
  const { access, format, layout, tls, ttlMs } = location;
  const socket = await dial(server, tls, signal);
  const made: { views?: Views } = {};
  const connection = new Connection({
    socket,
    clock,
    events: {
      event: (type, path) => made.views?.event(type, path),
      lost: (error) => made.views?.lost(error),
    },
  });
  const abort = (): void => connection.end(asRegistryError(signal.reason));
  signal.addEventListener('abort', abort);
  try {
    const greeting = await connection.greet(ticket, ttlMs);
    if (greeting === 'expired') return 'expired';
    await authenticate(connection, location);
    const nodes = new Nodes(connection, { access });
    const views = new Views({ nodes, format, layout });
    made.views = views;
    return { connection, nodes, views, ...greeting };
  } catch (error) {
    const failure = asRegistryError(error);
    connection.end(failure);
    throw failure;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function authenticate(connection: Connection, location: ZooKeeperLocation): Promise<void> {
  const { login } = location;
  if (login !== undefined) {
    await connection.authenticate(login.user, readPassword(location));
  }
}

function readPassword({ login }: ZooKeeperLocation): string {
  try {
    return (login && passwordOf(login.password)) ?? '';
  } catch (error) {
    const message = `zookeeper: password-file: ${messageOf(error)}`;
    throw new RegistryError('registry_auth', message, { cause: error });
  }
}

function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError('registry_unreachable', `zookeeper: ${messageOf(error)}`, {
    cause: error,
  });
}
