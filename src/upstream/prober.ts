// Asks an ejected instance whether it accepts connections again, so that no request has to find out.
import { connect } from 'node:net';
import type { Instance } from '../core/instance.ts';

/** Resolves to undefined when the instance accepts a connection, else to the cause. Never rejects. */
export type Prober = (instance: Instance, timeoutMs: number) => Promise<string | undefined>;

export const tcpProber: Prober = (instance, timeoutMs) =>
  new Promise((resolve) => {
    const socket = connect({ host: instance.host, port: instance.port, timeout: timeoutMs });
    const end = (cause?: string): void => {
      socket.destroy();
      resolve(cause);
    };
    socket.once('connect', () => {
      end();
    });
    socket.once('timeout', () => {
      end('connect_timeout');
    });
    // Not `once`: a destroyed socket may report a second error, which must have a listener.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(error.code ?? error.message);
    });
  });
