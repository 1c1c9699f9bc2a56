// The local services: one from the settings of the top level, or several from the file's list.
import { ConfigError } from '../core/errors.ts';
import { recordLimits } from '../core/instance.ts';
import type { ProbeConfig, ServiceConfig } from './config.ts';
import { need, type ReadValues } from './read-values.ts';
import { serviceKeys, type ServiceEntry } from './schema.ts';
import { flagOf, settingOf, type SettingValues } from './settings.ts';

/** Throws a ConfigError when the services contradict each other. */
export function resolveServices(given: ReadValues): readonly ServiceConfig[] {
  const listed = given.file?.services;
  const services = listed === undefined ? single(given) : several(given, listed);
  refuseTwins(services, given);
  services.forEach((service, index) => {
    refuseOversized(service, listed === undefined ? '' : `services[${index}].`, given);
  });
  return services;
}

function single({ values, where, isGiven }: ReadValues): readonly ServiceConfig[] {
  const { name, port } = values;
  if (name !== undefined && port !== undefined) return [toService({ ...values, name, port })];
  if (name !== undefined) {
    throw new ConfigError(`${where('name')}: needs the port of the app; add ${flagOf('port')}`);
  }
  const orphan = serviceKeys.find((key) => settingOf(key).scope === 'one' && isGiven(key));
  if (orphan === undefined) return [];
  throw new ConfigError(`${where(orphan)}: needs the name of the service; add ${flagOf('name')}`);
}

function several(
  { values, where, isGiven }: ReadValues,
  entries: readonly ServiceEntry[],
): readonly ServiceConfig[] {
  const stray = serviceKeys.find((key) => settingOf(key).scope === 'one' && isGiven(key));
  if (stray !== undefined) {
    throw new ConfigError(
      `${where(stray)}: cannot be combined with a list of services; write it in ${where('services')}`,
    );
  }
  if (values.advertise?.port !== undefined && entries.length > 1) {
    throw new ConfigError(`${where('advertise')}: several services cannot share one port`);
  }
  return entries.map((entry) => toService({ ...values, ...entry }));
}

function toService(values: SettingValues & ServiceEntry): ServiceConfig {
  const { advertise, id, serviceVersion, zone } = values;
  return {
    name: values.name,
    port: values.port,
    ...(advertise !== undefined && { advertise }),
    ...(id !== undefined && { id }),
    tags: values.tags ?? [],
    meta: values.meta ?? {},
    ...(serviceVersion !== undefined && { version: serviceVersion }),
    ...(zone !== undefined && { zone }),
    weight: need(values.weight),
    probes: probesOf(values),
    health: {
      intervalMs: need(values.healthInterval),
      timeoutMs: need(values.healthTimeout),
      rise: need(values.healthRise),
      fall: need(values.healthFall),
      startPeriodMs: need(values.healthStartPeriod),
    },
  };
}

function probesOf(values: SettingValues): readonly ProbeConfig[] {
  const probes = [
    ...(values.healthHttp ?? []),
    ...(values.healthTcp ?? []),
    ...(values.healthCmd ?? []),
    ...(values.healthGrpc ?? []),
  ];
  return probes.length === 0 ? [{ type: 'tcp' }] : probes;
}

function refuseTwins(services: readonly ServiceConfig[], { where }: ReadValues): void {
  services.forEach((service, index) => {
    const earlier = services.slice(0, index);
    const sameId = earlier.findIndex(({ id }) => id !== undefined && id === service.id);
    if (sameId >= 0) {
      throw new ConfigError(
        `${where(`services[${index}].id`)}: "${String(service.id)}" is the id of services[${sameId}] already`,
      );
    }
    const samePort = earlier.findIndex(
      ({ name, port }) => name === service.name && port === service.port,
    );
    if (samePort >= 0) {
      throw new ConfigError(
        `${where(`services[${index}].port`)}: "${service.name}" at port ${service.port} is services[${samePort}] already`,
      );
    }
  });
}

/** More is read by no agent: the app would be registered and never called. */
function refuseOversized({ tags, meta }: ServiceConfig, path: string, { where }: ReadValues): void {
  const { tagsAndMetaBytes: bytesMax } = recordLimits;
  const tagBytes = Buffer.byteLength(JSON.stringify(tags));
  const metaBytes = Buffer.byteLength(JSON.stringify(meta));
  if (tagBytes + metaBytes <= bytesMax) return;
  const place = where(`${path}${tagBytes > metaBytes ? 'tags' : 'meta'}`);
  throw new ConfigError(
    `${place}: tags and metadata have ${tagBytes + metaBytes} bytes as JSON; at most ${bytesMax} together are allowed`,
  );
}
