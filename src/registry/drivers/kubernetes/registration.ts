// What is written for an instance outside of the cluster: an EndpointSlice of its own, and a Lease that keeps it.
import { isIPv4, isIPv6 } from 'node:net';
import { formatInstance, type Instance } from '../../../core/instance.ts';
import { fieldsOf, textOf } from './fields.ts';
import { instanceAnnotation, serviceLabel } from './slice.ts';
import type { ServiceName } from './names.ts';

/** The value of the labels by which controllers know what is not theirs. */
const us = 'outrigger';

/** When the slice was written. */
const registeredAnnotation = 'outrigger/registered';

/** A lease as a reader needs it. */
export interface LeaseRecord {
  readonly name: string;
  /** Changes with each renewal. */
  readonly resourceVersion: string;
  readonly durationMs: number;
  /** Time since the latest renewal by the server's own clock, which counts in seconds; 0 when it does not say. */
  readonly ageMs: number;
}

/**
 * Everything of the slice that we own. The time in it makes each write a new version, so that nobody removes the slice who
 * has seen it dead before.
 */
export function sliceOf(
  instance: Instance,
  service: ServiceName,
  { name, wallMs }: { readonly name: string; readonly wallMs: number },
): object {
  const { addressType, usable } = addressTypeOf(instance.host);
  const conditions = { ready: instance.weight > 0, serving: true, terminating: false };
  const { zone } = instance;
  const endpoint = { addresses: [instance.host], conditions, ...(zone !== undefined && { zone }) };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      labels: labelsOf(service),
      annotations: {
        [instanceAnnotation]: formatInstance(instance),
        [registeredAnnotation]: new Date(wallMs).toISOString(),
      },
    },
    addressType,
    endpoints: usable ? [endpoint] : [],
    ports: [{ name: '', port: instance.port, protocol: 'TCP' }],
  };
}

export function leaseOf(
  service: ServiceName,
  name: string,
  times: { readonly ttlMs: number; readonly wallMs: number },
): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, labels: labelsOf(service) },
    spec: {
      holderIdentity: name,
      leaseDurationSeconds: Math.ceil(times.ttlMs / 1000),
      ...renewalOf(times.wallMs),
    },
  };
}

/** For people: readers count from when they see it change. */
export function renewalOf(wallMs: number): { readonly renewTime: string } {
  return { renewTime: new Date(wallMs).toISOString().replace('Z', '000Z') };
}

/** `serverMs`: the time of the answer by the server's clock. */
export function parseLease(object: unknown, serverMs: number): LeaseRecord | undefined {
  const lease = fieldsOf(object);
  const metadata = fieldsOf(lease['metadata']);
  const name = textOf(metadata['name']);
  const seconds = fieldsOf(lease['spec'])['leaseDurationSeconds'];
  if (name === undefined || typeof seconds !== 'number') return undefined;
  const resourceVersion = textOf(metadata['resourceVersion']) ?? '';
  const ageMs = Math.max(0, serverMs - writtenMs(metadata['managedFields'])) || 0;
  return { name, resourceVersion, durationMs: seconds * 1000, ageMs };
}

/** The server notes when each client wrote last. NaN when it does not. */
function writtenMs(managedFields: unknown): number {
  if (!Array.isArray(managedFields) || managedFields.length === 0) return Number.NaN;
  return Math.max(...managedFields.map((one) => Date.parse(textOf(fieldsOf(one)['time']) ?? '')));
}

function labelsOf({ name }: ServiceName): Readonly<Record<string, string>> {
  return {
    [serviceLabel]: name,
    'endpointslice.kubernetes.io/managed-by': us,
    'app.kubernetes.io/managed-by': us,
  };
}

/** `usable`: the server takes the address; it refuses those that mean nothing on other machines. */
function addressTypeOf(host: string): {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly usable: boolean;
} {
  if (isIPv4(host)) return { addressType: 'IPv4', usable: !specialIPv4.test(host) };
  if (isIPv6(host)) return { addressType: 'IPv6', usable: !specialIPv6.test(host) };
  return { addressType: 'FQDN', usable: host.length <= 253 && qualified.test(host) };
}

/** Unspecified, loopback, link-local and multicast. */
const specialIPv4 = /^(?:0|127|169\.254|22[4-9]|2[3-5]\d)\./;
const specialIPv6 = /^(?:[0:]*:[01]?$|::ffff:|fe[89ab]|ff|.*%)/i;
/** At least two DNS labels. */
const qualified =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;
