// The table of settings: from each line a flag, a variable, a key of the file, a default and its documentation are made.
import type * as v from 'valibot';
import { registryUrl } from './registry-values.ts';
import { hostName, hostSuffix, serviceListener, workerCount } from './proxy-values.ts';
import {
  advertised,
  commandProbes,
  grpcProbes,
  httpProbes,
  instanceId,
  meta,
  tags,
  tcpProbes,
} from './service-values.ts';
import {
  choice,
  duration,
  integer,
  list,
  listenAddress,
  onOff,
  port,
  serviceName,
  text,
  type Schema,
} from './values.ts';

export type SettingGroup = 'Service' | 'Health' | 'Registry' | 'Proxy' | 'Agent';

export interface Setting {
  readonly schema: Schema<unknown>;
  readonly group: SettingGroup;
  /** One sentence without its full stop. */
  readonly help: string;
  /** The flag's name when it is not the key's: lists have a flag in the singular. */
  readonly flag?: string;
  readonly short?: string;
  /** What stands for the value in the help; none for a switch, in brackets when the value may be left out. */
  readonly argument?: string;
  /** The flag may be repeated; the variable holds several, separated by line ends, or else by commas where allowed. */
  readonly repeat?: 'commas or lines' | 'lines';
  /** As it is written in a file. */
  readonly default?: string;
  /** In place of a default that depends on something else. */
  readonly defaultText?: string;
  /**
   * `one`: describes one service, at the top level or in an entry of `services`. `each`: the same, but at the top level it
   * is also the default of every entry. `agent` when left out.
   */
  readonly scope?: 'one' | 'each';
  /** Where the file has this instead of a key of the same name. */
  readonly inFile?: string;
}

const settings = {
  name: {
    schema: serviceName,
    group: 'Service',
    scope: 'one',
    short: 'n',
    argument: 'NAME',
    help: 'service to register; without it the agent only proxies',
  },
  port: {
    schema: port,
    group: 'Service',
    scope: 'one',
    short: 'p',
    argument: 'PORT',
    help: 'port of the app',
  },
  advertise: {
    schema: advertised,
    group: 'Service',
    scope: 'each',
    argument: 'HOST[:PORT]',
    help: 'address written to the registry',
    defaultText: 'first non-loopback address, with the file: registry 127.0.0.1',
  },
  id: {
    schema: instanceId,
    group: 'Service',
    scope: 'one',
    argument: 'ID',
    help: 'id of the instance; must be unique in the registry',
    defaultText: 'name-host-port-<boot id>',
  },
  tags: {
    schema: tags,
    group: 'Service',
    scope: 'one',
    flag: 'tag',
    argument: 'TAG',
    repeat: 'commas or lines',
    help: 'tag of the instance; repeatable',
  },
  meta: {
    schema: meta,
    group: 'Service',
    scope: 'one',
    argument: 'KEY=VALUE',
    repeat: 'commas or lines',
    help: 'metadata of the instance, with the tags at most 12 KiB; repeatable',
  },
  zone: {
    schema: text('zone', 'any text without blanks, at most 255', /^\S{1,255}$/),
    group: 'Service',
    scope: 'each',
    argument: 'ZONE',
    help: 'zone of the instance',
  },
  weight: {
    schema: integer('weight', 0, 1000),
    group: 'Service',
    scope: 'one',
    argument: 'NUMBER',
    default: '1',
    help: 'share of the load relative to other instances; 0 gets none',
  },
  serviceVersion: {
    schema: text('version', 'any text without blanks, at most 255', /^\S{1,255}$/),
    group: 'Service',
    scope: 'each',
    argument: 'VERSION',
    help: 'version of the app',
  },
  healthHttp: {
    schema: httpProbes,
    group: 'Health',
    scope: 'one',
    argument: 'PATH|URL',
    repeat: 'commas or lines',
    help: 'healthy when a GET is answered with 2xx; repeatable, all checks must pass',
  },
  healthTcp: {
    schema: tcpProbes,
    group: 'Health',
    scope: 'one',
    argument: '[HOST:PORT]',
    repeat: 'commas or lines',
    help: 'healthy when a connection is accepted, by default on the port of the app',
    defaultText: 'the check when no other is given',
  },
  healthCmd: {
    schema: commandProbes,
    group: 'Health',
    scope: 'one',
    argument: 'COMMAND',
    repeat: 'lines',
    help: 'healthy when the command exits with 0; runs without a shell; repeatable',
  },
  healthGrpc: {
    schema: grpcProbes,
    group: 'Health',
    scope: 'one',
    argument: '[SERVICE]',
    repeat: 'commas or lines',
    help: 'healthy when the gRPC health protocol says SERVING; repeatable',
  },
  healthInterval: {
    schema: duration(100),
    group: 'Health',
    scope: 'each',
    argument: 'TIME',
    default: '2s',
    help: 'time between checks; at most 500ms while the state is changing',
  },
  healthTimeout: {
    schema: duration(10),
    group: 'Health',
    scope: 'each',
    argument: 'TIME',
    default: '1s',
    help: 'limit of one check',
  },
  healthRise: {
    schema: integer('count', 1, 100),
    group: 'Health',
    scope: 'each',
    argument: 'COUNT',
    default: '2',
    help: 'passes in a row until healthy',
  },
  healthFall: {
    schema: integer('count', 1, 100),
    group: 'Health',
    scope: 'each',
    argument: 'COUNT',
    default: '3',
    help: 'failures in a row until unhealthy; a refused connection counts at once',
  },
  healthStartPeriod: {
    schema: duration(0),
    group: 'Health',
    scope: 'each',
    argument: 'TIME',
    default: '0s',
    help: 'failures count only after this time',
  },
  registry: {
    schema: list(registryUrl, 8),
    group: 'Registry',
    short: 'r',
    argument: 'URL',
    repeat: 'lines',
    default: 'file:',
    help: 'where instances are registered and found; repeatable, with register=off or discover=off in the URL for one of both only',
  },
  registryMode: {
    schema: choice(['union', 'first-healthy']),
    group: 'Registry',
    argument: 'MODE',
    default: 'union',
    help: 'instances of several registries: union, or those of the first-healthy one',
  },
  ttl: {
    schema: duration(100),
    group: 'Registry',
    argument: 'TIME',
    help: 'life of a registration without a heartbeat',
    defaultText: "the registry's own, such as 10s; file: 6s",
  },
  heartbeat: {
    schema: duration(10),
    group: 'Registry',
    argument: 'TIME',
    help: 'time between heartbeats; at most half of the ttl',
    defaultText: 'a third of the ttl',
  },
  stateDir: {
    schema: text('directory', 'a path, or none', /^[^\0]+$/),
    group: 'Registry',
    argument: 'DIR|none',
    help: 'where the last known instances are kept for the time after a restart',
    defaultText: '$XDG_STATE_HOME/outrigger or ~/.local/state/outrigger',
  },
  listen: {
    schema: listenAddress,
    group: 'Proxy',
    short: 'l',
    argument: 'HOST:PORT',
    default: '127.0.0.1:4140',
    help: 'address of the outbound proxy; port 0 is any free one',
  },
  upstream: {
    schema: list(serviceListener, 1024),
    group: 'Proxy',
    short: 'u',
    argument: 'SERVICE=PORT|PATH',
    repeat: 'commas or lines',
    inFile: '`upstreams.SERVICE.listen`',
    help: 'a port or unix socket for one service, tcp:SERVICE=PORT for any TCP protocol; repeatable',
  },
  ownHosts: {
    schema: list(hostName),
    group: 'Proxy',
    flag: 'own-host',
    argument: 'HOST',
    repeat: 'commas or lines',
    help: 'host name that means the proxy itself, besides localhost; repeatable',
  },
  suffixes: {
    schema: list(hostSuffix),
    group: 'Proxy',
    flag: 'suffix',
    argument: 'SUFFIX',
    repeat: 'commas or lines',
    default: '.localhost,.svc',
    help: 'end of a host name that is removed to get the service; repeatable, replaces the default',
  },
  passthrough: {
    schema: onOff,
    group: 'Proxy',
    default: 'false',
    help: 'let requests to hosts that are no service through to the network',
  },
  fastLane: {
    schema: onOff,
    group: 'Proxy',
    default: 'true',
    help: 'plain HTTP requests take the shortest way; when off, all take the general one',
  },
  workers: {
    schema: workerCount,
    group: 'Proxy',
    argument: 'NUMBER|auto',
    default: '1',
    help: 'processes that carry the calls; auto is one for each processor',
  },
  dns: {
    schema: listenAddress,
    group: 'Proxy',
    argument: 'HOST:PORT',
    help: 'answer DNS queries for services there, over UDP and TCP',
    defaultText: 'no DNS',
  },
  dnsDomain: {
    schema: hostName,
    group: 'Proxy',
    argument: 'DOMAIN',
    default: 'outrigger',
    help: 'domain of the DNS names: payments.outrigger, _payments._tcp.outrigger',
  },
  admin: {
    schema: listenAddress,
    group: 'Agent',
    argument: 'HOST:PORT',
    default: '127.0.0.1:4190',
    help: 'address of the admin API and the metrics; port 0 is any free one',
  },
  config: {
    schema: text('path', 'the path of a YAML or JSON file', /^[^\0]+$/),
    group: 'Agent',
    argument: 'FILE',
    inFile: '–',
    help: 'configuration file, YAML or JSON',
  },
  waitFor: {
    schema: list(serviceName),
    group: 'Agent',
    argument: 'SERVICE',
    repeat: 'commas or lines',
    help: 'start the app only when this service has a healthy instance; repeatable',
  },
  drainDelay: {
    schema: duration(0),
    group: 'Agent',
    argument: 'TIME',
    help: 'how long to keep serving after deregistration',
    defaultText: "the registry's propagation time",
  },
  drainTimeout: {
    schema: duration(0),
    group: 'Agent',
    argument: 'TIME',
    default: '25s',
    help: 'limit of the whole drain',
  },
  logLevel: {
    schema: choice(['error', 'warn', 'info', 'debug']),
    group: 'Agent',
    argument: 'LEVEL',
    default: 'info',
    help: 'error, warn, info or debug',
  },
  logFormat: {
    schema: choice(['json', 'pretty']),
    group: 'Agent',
    argument: 'FORMAT',
    help: 'json or pretty',
    defaultText: 'pretty on a terminal, else json',
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingKey = keyof typeof settings;

/** The values of settings after reading; those that nobody gave and that have no default are missing. */
export type SettingValues = {
  readonly [K in SettingKey]?: v.InferOutput<(typeof settings)[K]['schema']>;
};

export const settingKeys = Object.keys(settings) as readonly SettingKey[];

/** The setting without the literal types of the table. */
export function settingOf(key: SettingKey): Setting {
  return settings[key];
}

/** `--service-version` of `serviceVersion`, `--tag` of `tags`. */
export function flagOf(key: SettingKey): string {
  return `--${flagName(key)}`;
}

/** `OUTRIGGER_SERVICE_VERSION` of `serviceVersion`, `OUTRIGGER_TAG` of `tags`. */
export function variableOf(key: SettingKey): string {
  return `OUTRIGGER_${flagName(key).toUpperCase().replaceAll('-', '_')}`;
}

function flagName(key: SettingKey): string {
  return settingOf(key).flag ?? key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** A flag without a value, which has a counterpart that switches off. */
export function isSwitch(key: SettingKey): boolean {
  return settingOf(key).argument === undefined;
}

/** `--no-passthrough` of `passthrough`. */
export function offFlagOf(key: SettingKey): string {
  return `--no-${flagName(key)}`;
}

/** Every flag with its argument, its short form first; of a switch the one that changes the default. */
export function flagUsage(key: SettingKey): string {
  const { short, argument, default: given } = settingOf(key);
  if (isSwitch(key) && given === 'true') return offFlagOf(key);
  const flags = short === undefined ? flagOf(key) : `-${short}, ${flagOf(key)}`;
  return argument === undefined ? flags : `${flags} ${argument}`;
}
