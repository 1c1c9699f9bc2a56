// The resolved configuration: every value decided, in the units that the program uses.
import type { Address } from '../core/address.ts';
import type { Combination } from '../registry/combine.ts';
import type { UpstreamPolicy } from '../upstream/policy.ts';

export interface Config {
  /** Local services to register; empty for an agent that only proxies. */
  readonly services: readonly ServiceConfig[];
  /** At least one; they are combined in this order. */
  readonly registries: readonly RegistryConfig[];
  readonly combination: Combination;
  readonly lease: LeaseConfig;
  /** The outbound proxy's own address; port 0 is any free one. */
  readonly listen: Address;
  readonly admin: Address;
  /** Listeners that belong to one service each. */
  readonly upstreamListeners: readonly UpstreamListenerConfig[];
  /** Policies of services that differ from the default, by service name. */
  readonly policies: Readonly<Record<string, UpstreamPolicy>>;
  readonly defaultPolicy: UpstreamPolicy;
  /** Host names that mean the listener itself, besides localhost and loopback addresses. */
  readonly ownHosts: readonly string[];
  /** Host suffixes that are removed to get a service name: `.localhost`, `.svc`. */
  readonly suffixes: readonly string[];
  /** Lets requests to hosts that are no service through to the network. */
  readonly passthrough: boolean;
  /** Plain requests are carried by the fast lane. */
  readonly fastLane: boolean;
  /** Processes that carry the calls; 1 is the agent's own, and no other. */
  readonly workers: number;
  /** Undefined answers no DNS queries. */
  readonly dns?: DnsConfig;
  readonly drain: DrainConfig;
  readonly log: { readonly level: LogLevel; readonly format: 'json' | 'pretty' };
  /** The supervised app's command, if there is one. */
  readonly command: readonly string[];
  /** Start the supervised app only when each of these services has a healthy instance. */
  readonly waitFor: readonly string[];
  /** Where last known snapshots are kept between restarts; undefined keeps none. */
  readonly stateDirectory?: string;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface RegistryConfig {
  readonly url: string;
  /** Local services are registered in it, where its driver can. */
  readonly registers: boolean;
  /** Its instances are called. */
  readonly discovers: boolean;
}

export interface LeaseConfig {
  /** Undefined: the driver's own. */
  readonly ttlMs?: number;
  readonly heartbeatMs?: number;
}

export interface ServiceConfig {
  readonly name: string;
  /** The app's port, which the health checks look at. */
  readonly port: number;
  /** Undefined: the driver's choice of host, and the app's port. */
  readonly advertise?: { readonly host: string; readonly port?: number };
  readonly id?: string;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly zone?: string;
  readonly weight: number;
  /** All must pass; at least one, by default a TCP connect to the app's port. */
  readonly probes: readonly ProbeConfig[];
  readonly health: HealthTimingConfig;
}

export type ProbeConfig =
  | {
      readonly type: 'http';
      /** A path on the app's port, or an absolute URL. */
      readonly target: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Text that the first 4 KB of the body must contain. */
      readonly expectBody?: string;
      /** Headers that the reply must have with these values. */
      readonly expectHeaders: Readonly<Record<string, string>>;
    }
  | { readonly type: 'tcp'; readonly target?: Address }
  /** `argv` runs without a shell. */
  | { readonly type: 'command'; readonly argv: readonly string[] }
  | { readonly type: 'grpc'; readonly service: string };

export interface HealthTimingConfig {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Consecutive passes until healthy, and failures until unhealthy. */
  readonly rise: number;
  readonly fall: number;
  /** Failures count only after this time. */
  readonly startPeriodMs: number;
}

export interface UpstreamListenerConfig {
  readonly service: string;
  readonly protocol: 'http' | 'tcp';
  readonly on: { readonly address: Address } | { readonly path: string };
}

export interface DnsConfig {
  /** For UDP and TCP; port 0 is any free one. */
  readonly address: Address;
  /** In lower case, without a dot at its end. */
  readonly domain: string;
}

export interface DrainConfig {
  /** Lame-duck time; undefined: the registry's propagation time. */
  readonly delayMs?: number;
  /** Budget of the whole drain. */
  readonly timeoutMs: number;
}
