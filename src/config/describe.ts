// The resolved configuration in the form of a file: every value as it would be written, with its origin, without secrets.
import { formatAddress } from '../core/address.ts';
import { redactUrl } from '../registry/url.ts';
import { writeRegistryUrl } from './registry-values.ts';
import { joinCommandLine } from './command-line.ts';
import type { Config, ProbeConfig, ServiceConfig } from './config.ts';
import type { LoadedConfig } from './load.ts';
import { writePolicy } from './policy-keys.ts';
import { formatPlace } from './proxy-values.ts';
import { isSecretName, redactText } from './redact.ts';
import { settingOf, type SettingKey } from './settings.ts';
import { formatPath } from './strict.ts';
import { writeDuration } from './values.ts';

export interface DescribedValue {
  /** Keys and indexes from the root of a file. */
  readonly path: readonly (string | number)[];
  /** As it is written in a file; undefined when something else decides at run time. */
  readonly value: unknown;
  /** Who decided it, or what decides when there is no value. */
  readonly origin: string;
}

type Row = readonly [key: SettingKey, value: unknown];

/** The values in the order of the documentation. Without the supervised app's command: that is no key of a file. */
export function describeConfig(loaded: LoadedConfig): readonly DescribedValue[] {
  const { config } = loaded;
  return [
    ...config.services.flatMap((service, index) => describeService(loaded, service, index)),
    ...agentRows(config).map(([key, value]) => described(loaded, [key], value)),
    ...writePolicy(config.defaultPolicy).map(([key, value]) =>
      described(loaded, ['defaults', key], value),
    ),
    ...describeUpstreams(loaded),
  ];
}

function describeService(
  loaded: LoadedConfig,
  service: ServiceConfig,
  index: number,
): readonly DescribedValue[] {
  const isListed = loaded.origins.has('services');
  return serviceRows(service).map(([key, value]) =>
    described(loaded, isListed ? ['services', index, key] : [key], value),
  );
}

/** A value that nobody gave under its own path is inherited from the top level, or else a default. */
function described(
  { origins }: LoadedConfig,
  path: DescribedValue['path'],
  value: unknown,
): DescribedValue {
  const key = path.at(-1) as SettingKey;
  const isSetting = path.length === 1 || path[0] === 'services';
  const origin = origins.get(formatPath(path)) ?? (isSetting ? origins.get(key) : undefined);
  if (origin !== undefined) return { path, value, origin: `${origin.kind} ${origin.name}` };
  const rule = isSetting ? settingOf(key).defaultText : undefined;
  if (rule === undefined) return { path, value, origin: 'default' };
  return { path, value, origin: value === undefined ? rule : `default: ${rule}` };
}

function serviceRows(service: ServiceConfig): readonly Row[] {
  const { advertise, health } = service;
  const rows: readonly Row[] = [
    ['name', service.name],
    ['port', service.port],
    ['advertise', advertise === undefined ? undefined : writeAdvertised(advertise)],
    ['id', service.id],
    ['tags', service.tags],
    ['meta', service.meta],
    ...(service.zone === undefined ? [] : [['zone', service.zone] as const]),
    ['weight', service.weight],
    ...(service.version === undefined ? [] : [['serviceVersion', service.version] as const]),
    ...probeRows(service.probes),
    ['healthInterval', writeDuration(health.intervalMs)],
    ['healthTimeout', writeDuration(health.timeoutMs)],
    ['healthRise', health.rise],
    ['healthFall', health.fall],
    ['healthStartPeriod', writeDuration(health.startPeriodMs)],
  ];
  return rows;
}

function writeAdvertised({ host, port }: NonNullable<ServiceConfig['advertise']>): string {
  return port === undefined ? host : formatAddress({ host, port });
}

const probeKeys = {
  http: 'healthHttp',
  tcp: 'healthTcp',
  command: 'healthCmd',
  grpc: 'healthGrpc',
} as const satisfies Record<ProbeConfig['type'], SettingKey>;

function probeRows(probes: readonly ProbeConfig[]): readonly Row[] {
  return Object.entries(probeKeys).flatMap(([type, key]): Row[] => {
    const written = probes.filter((probe) => probe.type === type).map(writeProbe);
    return written.length === 0 ? [] : [[key, written.length === 1 ? written[0] : written]];
  });
}

function writeProbe(probe: ProbeConfig): unknown {
  switch (probe.type) {
    case 'tcp':
      return probe.target === undefined ? true : formatAddress(probe.target);
    case 'command':
      return redactText(joinCommandLine(probe.argv));
    case 'grpc':
      return probe.service === '' ? true : probe.service;
    case 'http':
      return writeHttpProbe(probe);
  }
}

function writeHttpProbe(probe: Extract<ProbeConfig, { readonly type: 'http' }>): unknown {
  const target = redactText(probe.target);
  const headers = Object.entries(probe.headers);
  const expectHeaders = Object.entries(probe.expectHeaders);
  const isPlain = headers.length === 0 && expectHeaders.length === 0;
  if (isPlain && probe.expectBody === undefined) return target;
  return {
    target,
    ...(headers.length > 0 && { headers: redactFields(headers) }),
    ...(probe.expectBody !== undefined && { expectBody: probe.expectBody }),
    ...(expectHeaders.length > 0 && { expectHeaders: redactFields(expectHeaders) }),
  };
}

function redactFields(fields: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(
    fields.map(([name, content]) => [name, isSecretName(name) ? '***' : redactText(content)]),
  );
}

function agentRows(config: Config): readonly Row[] {
  const { lease, drain } = config;
  const registries = config.registries.map((one) => redactUrl(writeRegistryUrl(one)));
  return [
    ['registry', registries.length === 1 ? registries[0] : registries],
    ['registryMode', config.combination],
    ['ttl', optionalTime(lease.ttlMs)],
    ['heartbeat', optionalTime(lease.heartbeatMs)],
    ['stateDir', config.stateDirectory ?? 'none'],
    ['listen', formatAddress(config.listen)],
    ['ownHosts', config.ownHosts],
    ['suffixes', config.suffixes],
    ['passthrough', config.passthrough],
    ['fastLane', config.fastLane],
    ['workers', config.workers],
    ['dns', config.dns === undefined ? undefined : formatAddress(config.dns.address)],
    ['dnsDomain', config.dns?.domain],
    ['admin', formatAddress(config.admin)],
    ['waitFor', config.waitFor],
    ['drainDelay', optionalTime(drain.delayMs)],
    ['drainTimeout', writeDuration(drain.timeoutMs)],
    ['logLevel', config.log.level],
    ['logFormat', config.log.format],
  ];
}

function optionalTime(durationMs: number | undefined): string | undefined {
  return durationMs === undefined ? undefined : writeDuration(durationMs);
}

function describeUpstreams(loaded: LoadedConfig): readonly DescribedValue[] {
  const { policies, defaultPolicy, upstreamListeners } = loaded.config;
  const services = new Set([
    ...upstreamListeners.map(({ service }) => service),
    ...Object.keys(policies),
  ]);
  return [...services].flatMap((service) => {
    const places = upstreamListeners.filter((one) => one.service === service).map(formatPlace);
    const policy = policies[service];
    const rows = [
      ...(places.length === 0 ? [] : [['listen', places] as const]),
      ...(policy === undefined ? [] : writePolicy(policy, defaultPolicy)),
    ];
    return rows.map(([key, value]) => described(loaded, ['upstreams', service, key], value));
  });
}

/** The values as a YAML file that means the same, each with its origin as a comment. */
export function formatDescribed(values: readonly DescribedValue[]): string {
  let previous: DescribedValue['path'] = [];
  const lines: string[] = [];
  for (const { path, value, origin } of values) {
    const shared = sharedLength(previous, path);
    let dash = false;
    for (const [depth, step] of path.slice(0, -1).entries()) {
      if (depth < shared) continue;
      dash = typeof step === 'number';
      if (!dash) lines.push(`${'  '.repeat(depth)}${formatScalar(step)}:`);
    }
    const depth = path.length - 1;
    const indent = dash ? `${'  '.repeat(depth - 1)}- ` : '  '.repeat(depth);
    const key = String(path.at(-1));
    lines.push(
      value === undefined
        ? `${indent}# ${key}: ${origin}`
        : `${indent}${key}: ${formatValue(value)}  # ${origin}`,
    );
    previous = path;
  }
  return `${lines.join('\n')}\n`;
}

function sharedLength(a: DescribedValue['path'], b: DescribedValue['path']): number {
  let length = 0;
  while (length < a.length - 1 && length < b.length - 1 && a[length] === b[length]) length++;
  return length;
}

/** Lists and mappings on one line; JSON is YAML. */
function formatValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`;
  return typeof value === 'string' ? formatScalar(value) : JSON.stringify(value);
}

/** Without quotes where no reader of YAML could take it for something else than this text. */
function formatScalar(scalar: string | number): string {
  const text = String(scalar);
  const isPlain = /^(?:[a-z]|\/)[\w./-]*$|^\d+(?:ms|s|m|h|B|KiB|MiB|GiB)$/i.test(text);
  return isPlain && !/^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

/** The values as one nested object. Those that are decided at run time are missing. */
export function nestDescribed(values: readonly DescribedValue[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, value } of values) {
    let node = root;
    for (const [index, step] of path.slice(0, -1).entries()) {
      const next = node[step] ?? (typeof path[index + 1] === 'number' ? [] : {});
      node[step] = next;
      node = next as Record<string, unknown>;
    }
    if (value !== undefined) node[path.at(-1) as string] = value;
  }
  return root;
}
