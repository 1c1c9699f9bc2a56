// Loading the configuration: flags, variables, file and defaults become one Config, and each value keeps its origin.
import { join } from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { redactUrl } from '../registry/url.ts';
import type { Config } from './config.ts';
import type { ReadFile } from './file.ts';
import { givesLeaseTimes } from './registry-values.ts';
import { resolveConfig } from './resolve.ts';
import {
  flagOf,
  offFlagOf,
  settingKeys,
  settingOf,
  variableOf,
  type SettingKey,
  type SettingValues,
} from './settings.ts';
import { formatPath, read } from './strict.ts';
import { suggestion } from './values.ts';

/** Everything that the configuration is made of, besides the file that it may name. */
export interface ConfigSources {
  /** By key of the setting; a text, a list of texts, or true for a flag without its value. */
  readonly flags: Readonly<Partial<Record<SettingKey, unknown>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The supervised app's command. */
  readonly command: readonly string[];
  /** Logs go to a terminal. */
  readonly terminal: boolean;
}

/** Who decided a value. */
interface Origin {
  readonly kind: 'flag' | 'variable' | 'file';
  /** The flag, the variable or the file. */
  readonly name: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By path in a file (`services[0].port`); what is missing is a default. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Things that are allowed but probably not meant; one line each. */
  readonly warnings: readonly string[];
}

/**
 * A flag beats a variable, a variable the file, the file the default. Lists are not merged, except the listeners of single
 * services: those of a flag or variable replace the file's for the same service only. Throws a ConfigError of one line.
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const origins = new Map<string, Origin>();
  const given = givenOutsideFile(sources, origins);
  const file = await readFileOf(given, origins);
  const warnings = variableWarnings(sources.environment);
  const stateDirectory = stateDirectoryOf(sources.environment);
  const values: SettingValues = { ...defaults(sources), ...file?.content.settings, ...given };
  if (values.stateDir === undefined && stateDirectory === undefined) {
    warnings.push('no state directory: neither XDG_STATE_HOME nor HOME is an absolute path');
  }
  if (values.waitFor !== undefined && sources.command.length === 0) {
    warnings.push(`${describe('waitFor', origins)}: there is no app to start after --`);
  }
  const config = resolveConfig({
    values: { ...(stateDirectory !== undefined && { stateDir: stateDirectory }), ...values },
    file: file?.content,
    command: sources.command,
    where: (path) => describe(path, origins),
    isGiven: (path) => origins.has(path),
  });
  warnings.push(...leaseWarnings(config, origins));
  return { config, origins, warnings };
}

/** Reads flags and variables. */
function givenOutsideFile(sources: ConfigSources, origins: Map<string, Origin>): SettingValues {
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of settingKeys) {
    const flag = sources.flags[key];
    const variable = variableValue(key, sources.environment);
    if (flag === undefined && variable === undefined) continue;
    const origin: Origin =
      flag === undefined
        ? { kind: 'variable', name: variableOf(key) }
        : { kind: 'flag', name: flag === false ? offFlagOf(key) : flagOf(key) };
    values[key] = readSetting(key, flag ?? variable, origin.name);
    origins.set(key, origin);
  }
  // Each value was read by its own setting's schema.
  const { upstream } = values as SettingValues;
  const origin = origins.get('upstream');
  if (origin !== undefined) {
    for (const { service } of upstream ?? []) {
      origins.set(formatPath(['upstreams', service, 'listen']), origin);
    }
  }
  return values as SettingValues;
}

/** What others write under the name of a setting, which is none. */
const foreignValues: Readonly<Partial<Record<SettingKey, RegExp>>> = {
  // What a supervised app is given, also when it is an agent itself.
  admin: /^http:\/\//,
  // What Kubernetes gives to pods beside a Service called "outrigger".
  port: /^(?:tcp|udp|sctp):\/\//,
};

/** An empty variable is as good as none: that is how compose files and shells pass on what is not set. */
function variableValue(
  key: SettingKey,
  environment: ConfigSources['environment'],
): string | string[] | undefined {
  const text = environment[variableOf(key)]?.trim();
  if (text === undefined || text === '') return undefined;
  if (foreignValues[key]?.test(text) === true) return undefined;
  const { repeat } = settingOf(key);
  if (repeat === undefined) return text;
  const separator = repeat === 'lines' || text.includes('\n') ? '\n' : ',';
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function readSetting(key: SettingKey, given: unknown, name: string): unknown {
  const reading = read(settingOf(key).schema, given);
  if ('value' in reading) return reading.value;
  throw new ConfigError(`${name}: ${reading.problem.message}`);
}

async function readFileOf(
  given: SettingValues,
  origins: Map<string, Origin>,
): Promise<ReadFile | undefined> {
  if (given.config === undefined) return undefined;
  // Without a file, nothing is loaded to read one.
  const { readConfigFile } = await import('./file.ts');
  const file = await readConfigFile(given.config, origins.get('config')?.name ?? 'config');
  const origin: Origin = { kind: 'file', name: file.path };
  for (const path of file.written) if (!origins.has(path)) origins.set(path, origin);
  return file;
}

function defaults(sources: ConfigSources): SettingValues {
  const values: Partial<Record<SettingKey, unknown>> = {
    logFormat: sources.terminal ? 'pretty' : 'json',
  };
  for (const key of settingKeys) {
    const { default: text, repeat } = settingOf(key);
    if (text === undefined) continue;
    values[key] = readSetting(key, repeat === undefined ? text : text.split(','), 'default');
  }
  return values as SettingValues;
}

/** Times that an agent has for all registries beat those in a URL: two ways to say it are probably one too many. */
function leaseWarnings({ registries }: Config, origins: ReadonlyMap<string, Origin>): string[] {
  const key = (['ttl', 'heartbeat'] as const).find((one) => origins.has(one));
  if (key === undefined) return [];
  return registries
    .filter(givesLeaseTimes)
    .map(({ url }) => `${describe(key, origins)}: beats the times in ${redactUrl(url)}`);
}

/** XDG Base Directory Specification: relative paths are ignored. */
function stateDirectoryOf(environment: ConfigSources['environment']): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home } = environment;
  if (state?.startsWith('/') === true) return join(state, 'outrigger');
  if (home?.startsWith('/') === true) return join(home, '.local/state/outrigger');
  return undefined;
}

/** Given to a supervised app, so an agent below another one has it. */
const notSettings = new Set(['OUTRIGGER_PROXY']);

/** Variables that look like a misspelt setting. No error: others may use the prefix, as Kubernetes does for a Service. */
function variableWarnings(environment: ConfigSources['environment']): string[] {
  const prefix = 'OUTRIGGER_';
  const known = settingKeys.map((key) => variableOf(key).slice(prefix.length));
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !notSettings.has(name))
    .map((name) => name.slice(prefix.length))
    .filter((name) => !known.includes(name))
    .map((name) => [name, suggestion(name, known)] as const)
    .filter(([, near]) => near !== '')
    .map(([name, near]) => `${prefix}${name}: unknown variable${near.replace('"', `"${prefix}`)}`);
}

/** Where the value of a path was given, for an error. */
function describe(path: string, origins: ReadonlyMap<string, Origin>): string {
  const origin = origins.get(path);
  if (origin === undefined) return path;
  return origin.kind === 'file' ? `${origin.name}: ${path}` : origin.name;
}
