// Tells a person when what answers at an app's addresses is not what it seems.
import { formatAddress } from '../core/address.ts';
import type { Logger } from '../core/logger.ts';
import type { Prober } from '../upstream/prober.ts';
import type { LocalService } from './local-service.ts';

const timeoutMs = 1000;
const loopback = '127.0.0.1';

/**
 * The health checks ask the app on loopback, others call it at the advertised address: an app that listens on loopback only
 * is well and yet cannot be called. Asks once, when the service is first registered.
 */
export function warnIfUnreachable(
  { instance, leases }: Pick<LocalService, 'instance' | 'leases'>,
  prober: Prober,
  logger: Logger,
): void {
  let asked = false;
  const onChange = (): void => {
    if (asked || !leases.some(({ state }) => state.kind === 'active')) return;
    asked = true;
    for (const stop of stops) stop();
    void prober(instance, timeoutMs).then((cause) => {
      if (cause === undefined) return;
      const fields = { service: instance.service, address: formatAddress(instance), cause };
      logger.warn(fields, 'the app does not answer at its advertised address; see --advertise');
    });
  };
  const stops = leases.map((lease) => lease.onChange(onChange));
}

/**
 * To be asked before the app is started: whatever listens on its port by then would pass for the app, be registered under its
 * name and get its calls, while the app itself cannot listen.
 */
export async function warnIfTaken(
  { instance, port }: Pick<LocalService, 'instance' | 'port'>,
  prober: Prober,
  logger: Logger,
): Promise<void> {
  const app = { ...instance, host: loopback, port };
  if ((await prober(app, timeoutMs)) !== undefined) return;
  const fields = { service: instance.service, address: formatAddress(app) };
  logger.warn(fields, 'something listens on the port of the app before the app is started');
}
