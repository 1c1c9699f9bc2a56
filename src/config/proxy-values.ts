// The kinds of values that describe the outbound proxy: names of hosts and listeners of single services.
import { availableParallelism } from 'node:os';
import { formatAddress, parseAddress } from '../core/address.ts';
import { parseServiceName } from '../core/service-name.ts';
import type { UpstreamListenerConfig } from './config.ts';
import { refusedName, scalarText, value, type Schema } from './values.ts';

/** In lower case, without a dot at the end. */
export const hostName: Schema<string> = value((given) => {
  const host = scalarText(given).toLowerCase().replace(/\.$/, '');
  return /^[a-z0-9_][a-z0-9._-]{0,252}$/.test(host)
    ? { value: host }
    : { refusal: 'is no host name' };
});

/** In lower case, with a dot before. */
export const hostSuffix: Schema<string> = value((given) => {
  const suffix = `.${scalarText(given).toLowerCase().replace(/^\./, '')}`;
  return /^\.[a-z0-9_][a-z0-9._-]{0,252}$/.test(suffix)
    ? { value: suffix }
    : { refusal: 'is no host suffix; write it as .internal' };
});

const workersMax = 64;

/** `auto`: as many as the system lets this process use at once. */
export const workerCount: Schema<number> = value((given) => {
  if (given === 'auto') return { value: Math.min(workersMax, availableParallelism()) };
  const count = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : given;
  if (Number.isInteger(count) && Number(count) >= 1 && Number(count) <= workersMax) {
    return { value: Number(count) };
  }
  return { refusal: `is no number of workers; allowed is 1 to ${workersMax}, or auto` };
});

/** Where a listener of one service listens, and what it speaks. */
type ListenerPlace = Omit<UpstreamListenerConfig, 'service'>;

/** The path of a unix socket is kept by the system in 108 bytes, with a zero at the end. */
const socketPathBytesMax = 107;

const placeForms = 'PORT, HOST:PORT or the PATH of a unix socket, each with tcp: before it for TCP';

/** `7001`, `127.0.0.1:7001`, `/run/x.sock` or `tcp:5433`. */
export const listenerPlace: Schema<ListenerPlace> = value((given) =>
  readPlace(scalarText(given), 'http'),
);

/** `SERVICE=PLACE`, with `tcp:` before the service or the place for plain TCP. */
export const serviceListener: Schema<UpstreamListenerConfig> = value((given) => {
  const written = scalarText(given);
  const isTcp = written.startsWith('tcp:');
  const pair = isTcp ? written.slice(4) : written;
  const at = pair.indexOf('=');
  if (at < 1) return { refusal: `is not SERVICE=PLACE; a place is ${placeForms}` };
  const service = parseServiceName(pair.slice(0, at));
  if (service === undefined)
    return { refusal: `has a name that ${refusedName(pair.slice(0, at))}` };
  const place = readPlace(pair.slice(at + 1), isTcp ? 'tcp' : 'http');
  return 'refusal' in place ? place : { value: { service, ...place.value } };
});

function readPlace(
  written: string,
  protocolUnlessWritten: 'http' | 'tcp',
): { readonly value: ListenerPlace } | { readonly refusal: string } {
  const isTcp = written.startsWith('tcp:');
  const place = isTcp ? written.slice(4) : written;
  const protocol = isTcp ? 'tcp' : protocolUnlessWritten;
  if (place.includes('/') || place.endsWith('.sock')) {
    return Buffer.byteLength(place) > socketPathBytesMax
      ? { refusal: `has a socket path of more than ${socketPathBytesMax} bytes` }
      : { value: { protocol, on: { path: place } } };
  }
  const address = parseAddress(place, '127.0.0.1');
  return address === undefined
    ? { refusal: `is no place to listen; allowed are ${placeForms}, ports from 0 to 65535` }
    : { value: { protocol, on: { address } } };
}

/** The place as `listenerPlace` reads it. */
export function formatPlace({ protocol, on }: ListenerPlace): string {
  const place = 'path' in on ? on.path : formatAddress(on.address);
  return protocol === 'tcp' ? `tcp:${place}` : place;
}
