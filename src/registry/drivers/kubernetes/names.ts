// Names in Kubernetes: which service of which namespace is meant, and what our own objects are called.
import { createHash } from 'node:crypto';
import { RegistryError } from '../../../core/errors.ts';

/** A service as the API server addresses it. */
export interface ServiceName {
  readonly namespace: string;
  /** The value of the label `kubernetes.io/service-name`. */
  readonly name: string;
}

/** DNS label (RFC 1123). */
export function isNamespace(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** Reads `name` or `name.namespace`. Throws `registry_invalid` for what no service can be called. */
export function serviceNameOf(service: string, defaultNamespace: string): ServiceName {
  const [name = '', namespace = defaultNamespace, ...more] = service.split('.');
  const isLabelValue = /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/.test(name);
  if (more.length > 0 || !isLabelValue || !isNamespace(namespace)) {
    throw new RegistryError('registry_invalid', `no Kubernetes service can be called "${service}"`);
  }
  return { namespace, name };
}

/** What the slice and the lease of an instance are called: the same for each process with this id, whatever the id is. */
export function objectNameOf(service: ServiceName, id: string): string {
  const hash = createHash('sha256').update(`${service.name}\n${id}`).digest('hex').slice(0, 20);
  return `${service.name.replaceAll('_', '-')}-outrigger-${hash}`;
}

export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

export function slicesPath(namespace: string): string {
  return `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
}
