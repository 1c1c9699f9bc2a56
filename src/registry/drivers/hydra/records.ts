// What is written for an instance of ours, as lists of Redis commands.
import { hostname } from 'node:os';
import type { Instance } from '../../../core/instance.ts';
import { formatArrival, formatDeparture } from './changes.ts';
import {
  changesChannel,
  healthKey,
  hydraIdOf,
  nodesKey,
  presenceKey,
  routerChannel,
  routesKey,
  serviceKey,
} from './keys.ts';
import { formatNode, hydraMeta } from './node-record.ts';
import { routesOf } from './routes.ts';
import type { Command } from './transaction.ts';

export interface WriteTimes {
  readonly ttlMs: number;
  /** Wall-clock time. */
  readonly nowMs: number;
}

export function acquireCommands(
  instance: Instance,
  times: WriteTimes,
  database: number,
): readonly Command[] {
  const { service, id } = instance;
  const hydraId = hydraIdOf(service, id);
  return [
    ...serviceCommands(instance, times.nowMs),
    ['HSET', nodesKey, hydraId, formatNode(instance, times.nowMs)],
    healthCommand(instance, times),
    ['SET', presenceKey(service, hydraId), hydraId, 'PX', milliseconds(times.ttlMs)],
    ['PUBLISH', changesChannel(service, database), formatArrival(instance)],
    ['PUBLISH', routerChannel, formatRefresh(service, times.nowMs)],
  ];
}

/** The first one answers 1 when the lease was there. The others also put back what Hydra's tools remove (`refresh`, `clear`). */
export function renewCommands(instance: Instance, times: WriteTimes): readonly Command[] {
  const { service, id } = instance;
  const hydraId = hydraIdOf(service, id);
  return [
    ['PEXPIRE', presenceKey(service, hydraId), milliseconds(times.ttlMs)],
    ['HSET', nodesKey, hydraId, formatNode(instance, times.nowMs)],
    healthCommand(instance, times),
  ];
}

/** Hydra leaves its node record for ever. What the service's instances share stays, as others may be there or come. */
export function releaseCommands(instance: Instance, database: number): readonly Command[] {
  const { service, id } = instance;
  const hydraId = hydraIdOf(service, id);
  return [
    ['DEL', presenceKey(service, hydraId), healthKey(service, hydraId)],
    ['HDEL', nodesKey, hydraId],
    ['PUBLISH', changesChannel(service, database), formatDeparture(hydraId)],
  ];
}

/** What is not given does not replace what a Hydra instance of the same service has written. */
function serviceCommands(instance: Instance, nowMs: number): readonly Command[] {
  const { service, meta } = instance;
  const type = meta[hydraMeta.type];
  const registeredOn = new Date(nowMs).toISOString();
  const entry = JSON.stringify({ serviceName: service, type: type ?? '', registeredOn });
  const { patterns, extent } = routesOf(instance);
  return [
    ['SET', serviceKey(service), entry, ...(type === undefined ? ['NX'] : [])],
    ...(extent === 'all' ? [['DEL', routesKey(service)] as const] : []),
    ['SADD', routesKey(service), ...patterns],
  ];
}

/** Hydra's lasts for 3 of each 5 seconds; ours as long as the lease. The figures are those of the agent's process. */
function healthCommand({ service, id }: Instance, { ttlMs, nowMs }: WriteTimes): Command {
  const hydraId = hydraIdOf(service, id);
  const now = new Date(nowMs).toISOString();
  const health = JSON.stringify({
    updatedOn: now,
    serviceName: service,
    instanceID: hydraId,
    hostName: hostname(),
    sampledOn: now,
    processID: process.pid,
    architecture: process.arch,
    platform: process.platform,
    nodeVersion: process.version,
    memory: process.memoryUsage(),
    uptimeSeconds: process.uptime(),
  });
  return ['SET', healthKey(service, hydraId), health, 'PX', milliseconds(ttlMs)];
}

/** Hydra's message to its routers, in the short form of UMF: the routes of the service are to be read anew. */
function formatRefresh(service: string, nowMs: number): string {
  return JSON.stringify({
    to: 'hydra-router:/refresh',
    frm: `${service}:/`,
    ts: new Date(nowMs).toISOString(),
    ver: 'UMF/1.4.6',
    bdy: { action: 'refresh', serviceName: service },
  });
}

function milliseconds(durationMs: number): string {
  return String(Math.max(1, Math.round(durationMs)));
}
