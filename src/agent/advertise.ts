// Which address a local service is registered with.
import { networkInterfaces } from 'node:os';
import type { ServiceConfig } from '../config/config.ts';
import type { Address } from '../core/address.ts';
import type { Capabilities } from '../registry/driver.ts';

/** The configured address; else the registry's habit and the app's own port. */
export function advertisedAddress(
  service: Pick<ServiceConfig, 'advertise' | 'port'>,
  habit: Capabilities['advertise'],
): Address {
  const port = service.advertise?.port ?? service.port;
  const host = service.advertise?.host ?? (habit === 'loopback' ? '127.0.0.1' : firstHost());
  return { host, port };
}

/** The first address that other hosts may reach, IPv4 before IPv6; loopback when there is none. */
function firstHost(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.filter(({ internal, address }) => !internal && !isLinkLocal(address));
  const first = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return first?.address ?? '127.0.0.1';
}

/** RFC 3927 and RFC 4291 §2.5.6: not routed, and for IPv6 meaningless without the interface. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}
