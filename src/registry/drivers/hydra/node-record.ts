// The record of an instance in `hydra:service:nodes`: Hydra's own fields, and beside them our instance as it is.
import { hostname } from 'node:os';
import {
  formatInstance,
  parseInstance,
  recordLimits,
  type Instance,
} from '../../../core/instance.ts';
import { hydraIdOf } from './keys.ts';

/** Meta keys that stand for fields of Hydra, in both directions. */
export const hydraMeta = {
  description: 'hydra.description',
  type: 'hydra.type',
  routes: 'hydra.routes',
  hostName: 'hydra.hostName',
} as const;

/** Our record, and as much again for the fields of Hydra and for characters that JSON escapes. */
const textLengthMax = 2 * recordLimits.recordBytes;
/** What Hydra writes for a service that gives none. */
const noDescription = 'not specified';
const noVersion = 'unspecified';

/** `nowMs` is wall-clock time: Hydra's tools show how long ago a record was written. */
export function formatNode(instance: Instance, nowMs: number): string {
  const { service, id, host, port, meta, version } = instance;
  return JSON.stringify({
    serviceName: service,
    serviceDescription: meta[hydraMeta.description] ?? noDescription,
    version: version ?? noVersion,
    instanceID: hydraIdOf(service, id),
    updatedOn: new Date(nowMs).toISOString(),
    processID: process.pid,
    ip: host,
    port,
    hostName: meta[hydraMeta.hostName] ?? hostname(),
    outrigger: JSON.parse(formatInstance(instance)) as unknown,
  });
}

/** The instance in a record of ours or of Hydra; undefined when it is none of this service and id. */
export function readNode(service: string, hydraId: string, text: string): Instance | undefined {
  if (text.length > textLengthMax) return undefined;
  const node = parseObject(text);
  if (node?.['serviceName'] !== service) return undefined;
  const own = parseInstance(service, node['outrigger']);
  if (own !== undefined && hydraIdOf(service, own.id) === hydraId) return own;
  return parseInstance(service, {
    id: hydraId,
    host: node['ip'],
    // A string where it was configured as one.
    port: Number(node['port']),
    meta: {
      ...given(hydraMeta.description, node['serviceDescription'], noDescription),
      ...given(hydraMeta.hostName, node['hostName'], ''),
    },
    ...given('version', node['version'], noVersion),
  });
}

/**
 * The service that a record names, without reading all of it: fleets have many records that are of no interest. Undefined
 * where it cannot be found so.
 */
export function serviceNameIn(text: string): string | undefined {
  return /"serviceName"\s*:\s*"([a-z0-9][a-z0-9._-]{0,62})"/.exec(text)?.[1];
}

function given(key: string, value: unknown, nothing: string): Readonly<Record<string, string>> {
  return typeof value === 'string' && value !== '' && value !== nothing ? { [key]: value } : {};
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
