// Tells a person when an app is registered under an address at which it does not answer.
import { formatAddress } from '../core/address.ts';
import type { Logger } from '../core/logger.ts';
import type { Prober } from '../upstream/prober.ts';
import type { LocalService } from './local-service.ts';

const timeoutMs = 1000;

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
