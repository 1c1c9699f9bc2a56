// The schema of the configuration file: the settings as keys, and what only a file can say.
import * as v from 'valibot';
import { policyEntries, policySchema, type WrittenPolicy } from './policy-keys.ts';
import { listenerPlace } from './proxy-values.ts';
import { settingKeys, settingOf, type SettingKey, type SettingValues } from './settings.ts';
import { record, strict } from './strict.ts';
import { list, serviceName, shown, type Schema } from './values.ts';

/** Keys of one service: at the top level, or in an entry of `services`. */
export const serviceKeys = settingKeys.filter((key) => settingOf(key).scope !== undefined);

/** A service of the list; `name` and `port` are there. */
export type ServiceEntry = SettingValues & Required<Pick<SettingValues, 'name' | 'port'>>;

/** A service that is called: where it has a listener of its own, and how its policy differs. */
interface UpstreamEntry {
  readonly listen?: v.InferOutput<typeof listenerPlaces>;
  readonly policy: WrittenPolicy;
}

export interface ConfigFile {
  readonly settings: SettingValues;
  readonly services?: readonly ServiceEntry[];
  readonly upstreams: Readonly<Record<string, UpstreamEntry>>;
  readonly defaults: WrittenPolicy;
}

const listenerPlaces = list(listenerPlace);

const entriesOf = (keys: readonly SettingKey[]): v.ObjectEntries =>
  Object.fromEntries(keys.map((key) => [key, v.optional(settingOf(key).schema)]));

// The entries are made from the table, so their types are the table's and not those that valibot could infer.
const services = v.pipe(
  v.array(
    strict({
      ...entriesOf(serviceKeys),
      name: settingOf('name').schema,
      port: settingOf('port').schema,
    }),
    ({ input }) => `${shown(input)} is no list of services`,
  ),
  v.transform((entries) => entries as unknown as readonly ServiceEntry[]),
);

const upstream: Schema<UpstreamEntry> = v.pipe(
  strict({ listen: v.optional(listenerPlaces), ...policyEntries }),
  v.transform(({ listen, ...policy }) => ({
    ...(listen !== undefined && { listen }),
    policy,
  })),
);

const fileKeys = settingKeys.filter((key) => settingOf(key).inFile === undefined);

export const fileSchema: Schema<ConfigFile> = v.pipe(
  strict({
    ...entriesOf(fileKeys),
    services: v.optional(services),
    upstreams: v.optional(record(serviceName, upstream)),
    defaults: v.optional(policySchema),
  }),
  v.transform(({ services, upstreams, defaults, ...values }) => ({
    settings: values,
    ...(services !== undefined && { services }),
    upstreams: upstreams ?? {},
    defaults: defaults ?? {},
  })),
);
