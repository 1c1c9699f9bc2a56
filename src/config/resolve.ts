// From read values to the Config: inheritance, derived values, and what must fit together.
import { resolve } from 'node:path';
import { formatAddress } from '../core/address.ts';
import { formatDurationMs } from '../core/durations.ts';
import { ConfigError } from '../core/errors.ts';
import { requireSecondTry } from '../registry/lease-times.ts';
import { redactUrl } from '../registry/url.ts';
import { defaultPolicy, type UpstreamPolicy } from '../upstream/policy.ts';
import type { Config, DrainConfig, LeaseConfig, UpstreamListenerConfig } from './config.ts';
import { resolveServices } from './local-services.ts';
import { overlayPolicy } from './policy-keys.ts';
import { formatPath } from './strict.ts';
import { need, type ReadValues } from './read-values.ts';
import { registryPlace } from './registry-values.ts';

/** Throws a ConfigError when values do not fit together. */
export function resolveConfig(given: ReadValues): Config {
  const { values } = given;
  const policies = resolvePolicies(given);
  const config: Config = {
    services: resolveServices(given),
    ...resolveRegistries(given),
    lease: resolveLease(given),
    listen: need(values.listen),
    admin: need(values.admin),
    upstreamListeners: upstreamListeners(given),
    ...policies,
    ownHosts: unique(values.ownHosts ?? []),
    suffixes: unique(values.suffixes ?? []),
    passthrough: need(values.passthrough),
    fastLane: need(values.fastLane),
    workers: need(values.workers),
    ...(values.dns !== undefined && {
      dns: { address: values.dns, domain: need(values.dnsDomain) },
    }),
    drain: resolveDrain(given),
    log: { level: need(values.logLevel), format: need(values.logFormat) },
    command: given.command,
    waitFor: unique(values.waitFor ?? []),
    ...(values.stateDir !== undefined &&
      values.stateDir !== 'none' && { stateDirectory: resolve(values.stateDir) }),
  };
  refuseSharedPlaces(config, given);
  return config;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

function resolveRegistries({
  values,
  where,
}: ReadValues): Pick<Config, 'registries' | 'combination'> {
  const registries = need(values.registry);
  if (!registries.some(({ discovers }) => discovers)) {
    throw new ConfigError(`${where('registry')}: all registries have discover=off`);
  }
  const places = registries.map(({ url }) => registryPlace(url));
  const twice = registries.find((_registry, at) => places.indexOf(places[at] ?? '') < at);
  if (twice !== undefined) {
    throw new ConfigError(`${where('registry')}: ${redactUrl(twice.url)} is given twice`);
  }
  return { registries, combination: need(values.registryMode) };
}

function resolveLease({ values, where, isGiven }: ReadValues): LeaseConfig {
  const { ttl } = values;
  const heartbeat = values.heartbeat ?? (ttl === undefined ? undefined : Math.round(ttl / 3));
  if (ttl !== undefined && heartbeat !== undefined) {
    const place = where(isGiven('heartbeat') ? 'heartbeat' : 'ttl');
    requireSecondTry({ ttlMs: ttl, heartbeatMs: heartbeat }, place);
  }
  return {
    ...(ttl !== undefined && { ttlMs: ttl }),
    ...(heartbeat !== undefined && { heartbeatMs: heartbeat }),
  };
}

function resolveDrain({ values, where }: ReadValues): DrainConfig {
  const timeoutMs = need(values.drainTimeout);
  const delayMs = values.drainDelay;
  if (delayMs !== undefined && delayMs > 0 && delayMs >= timeoutMs) {
    throw new ConfigError(
      `${where('drainDelay')}: ${formatDurationMs(delayMs)} is not shorter than the drain timeout of ${formatDurationMs(timeoutMs)}`,
    );
  }
  return { timeoutMs, ...(delayMs !== undefined && { delayMs }) };
}

/** The policies are in an object without a prototype: any service name may be asked of it. */
function resolvePolicies({ file, where }: ReadValues): Pick<Config, 'policies' | 'defaultPolicy'> {
  const checked = (path: string, policy: UpstreamPolicy): UpstreamPolicy => {
    if (policy.ejectionMinMs <= policy.ejectionMaxMs) return policy;
    const min = formatDurationMs(policy.ejectionMinMs);
    const max = formatDurationMs(policy.ejectionMaxMs);
    throw new ConfigError(
      `${where(path)}: ejectionMin of ${min} is longer than ejectionMax of ${max}`,
    );
  };
  const base = checked('defaults', overlayPolicy(defaultPolicy, file?.defaults ?? {}));
  const policies = Object.create(null) as Record<string, UpstreamPolicy>;
  for (const [service, { policy }] of Object.entries(file?.upstreams ?? {})) {
    if (Object.keys(policy).length === 0) continue;
    policies[service] = checked(formatPath(['upstreams', service]), overlayPolicy(base, policy));
  }
  return { policies, defaultPolicy: base };
}

function upstreamListeners({ values, file }: ReadValues): readonly UpstreamListenerConfig[] {
  const outside = values.upstream ?? [];
  const overridden = new Set(outside.map(({ service }) => service));
  const inside = Object.entries(file?.upstreams ?? {})
    .filter(([service]) => !overridden.has(service))
    .flatMap(([service, { listen }]) => (listen ?? []).map((place) => ({ service, ...place })));
  return [...outside, ...inside];
}

/** Two listeners at one place: only the first could open it. Port 0 is never the same place. */
function refuseSharedPlaces(config: Config, { where }: ReadValues): void {
  const taken = new Map<string, string>();
  const take = (place: string, owner: string): void => {
    const other = taken.get(place);
    if (other !== undefined) throw new ConfigError(`${owner}: ${place} is taken by ${other}`);
    taken.set(place, owner);
  };
  const takeAddress = (address: Config['listen'], owner: string): void => {
    if (address.port !== 0) take(formatAddress(address), owner);
  };
  takeAddress(config.listen, where('listen'));
  takeAddress(config.admin, where('admin'));
  if (config.dns !== undefined) takeAddress(config.dns.address, where('dns'));
  for (const { service, on } of config.upstreamListeners) {
    const owner = `${where(formatPath(['upstreams', service, 'listen']))} (${service})`;
    if ('path' in on) take(resolve(on.path), owner);
    else takeAddress(on.address, owner);
  }
}
