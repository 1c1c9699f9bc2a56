// The servers that a Redis URL means: one, the primary that Sentinel names, or a cluster.
import type { DriverDeps } from '../../driver.ts';
import { Cluster } from './cluster.ts';
import {
  parseClusterLocation,
  parseLocation,
  parseSentinelLocation,
  type RedisSettings,
} from './location.ts';
import type { OpenPort } from './redis-port.ts';
import { Sentinels } from './sentinel.ts';
import { singleServer } from './single-server.ts';
import type { SubscriptionsOptions } from './subscriptions.ts';
import { ServerLink, type Topology } from './topology.ts';

export interface Servers {
  readonly topology: Topology;
  readonly settings: RedisSettings;
  /** The command that publishes on the channel of a service. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  /** Over so many keys the names of the services are spread. */
  readonly namesSets: number;
}

/** For making a connection, and for an answer; callers may have less patience. */
const timeoutMs = 2000;
const namesSetsOfCluster = 16;

/** Throws a ConfigError for a URL that cannot work. Connects at first use. */
export function serversOf(url: string, deps: DriverDeps): Servers {
  if (/^rediss?\+cluster:/i.test(url)) return clusterAt(url, deps);
  if (/^rediss?\+sentinel:/i.test(url)) {
    const settings = parseSentinelLocation(url);
    return oneServer(settings, new Sentinels(deps, settings).openPrimary, deps);
  }
  const settings = parseLocation(url);
  return oneServer(settings, singleServer(settings), deps);
}

function oneServer(settings: RedisSettings, open: OpenPort, deps: DriverDeps): Servers {
  const topology = new ServerLink({ ...deps, open }, optionsOf(settings));
  return { topology, settings, publish: 'PUBLISH', namesSets: 1 };
}

function clusterAt(url: string, deps: DriverDeps): Servers {
  const settings = parseClusterLocation(url);
  const topology = new Cluster(
    { ...deps, openAt: (address) => singleServer({ ...settings, ...address }, 'sharded') },
    { ...optionsOf(settings), seeds: settings.seeds },
  );
  return { topology, settings, publish: 'SPUBLISH', namesSets: namesSetsOfCluster };
}

function optionsOf(settings: RedisSettings): SubscriptionsOptions {
  return { timeoutMs, pingEveryMs: settings.heartbeatMs };
}
