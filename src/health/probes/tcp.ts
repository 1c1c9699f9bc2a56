// The TCP probe: the app is well when it accepts a connection.
import { connect } from 'node:net';
import { formatAddress, type Address } from '../../core/address.ts';
import { failed, failedBy } from '../failure.ts';
import type { Probe, ProbeResult } from '../probe.ts';

export interface TcpProbeOptions {
  readonly target: Address;
}

/** Connects and closes at once, without a byte sent. */
export function tcpProbe({ target }: TcpProbeOptions): Probe {
  return {
    name: `tcp ${formatAddress(target)}`,
    run: (signal) => connectOnce(target, signal),
  };
}

function connectOnce({ host, port }: Address, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.on('connect', () => {
      resolve({ ok: true });
      socket.destroy();
    });
    socket.on('error', (error) => {
      resolve(failedBy(error, signal));
    });
    socket.on('close', () => {
      resolve(failed('the connection was closed'));
    });
  });
}
