// The flags of `run` and `check`: made from the table of settings, and read back as a source of the configuration.
import { Option, type Command } from 'commander';
import type { ConfigSources } from '../config/load.ts';
import {
  flagOf,
  flagUsage,
  isSwitch,
  offFlagOf,
  settingKeys,
  settingOf,
  type SettingGroup,
  type SettingKey,
} from '../config/settings.ts';
import { ConfigError } from '../core/errors.ts';

const headings: Readonly<Record<SettingGroup, string>> = {
  Service: 'The service of the app:',
  Health: 'Health checks of the app:',
  Registry: 'Registry:',
  Proxy: 'Outbound proxy:',
  Agent: 'Agent:',
};

/** Adds a flag for each setting, in the groups and the order of the table. */
export function addSettingFlags(command: Command): void {
  // Defaults are in the descriptions already.
  command.configureHelp({ optionDescription: ({ description }) => description });
  for (const key of settingKeys) {
    const options = isSwitch(key) ? switchOptions(key) : [valueOption(key)];
    for (const option of options)
      command.addOption(option.helpGroup(headings[settingOf(key).group]));
  }
}

/** Both ways: the one that is shown changes the default, the other one what the file or a variable says. */
function switchOptions(key: SettingKey): readonly Option[] {
  return [flagOf(key), offFlagOf(key)].map((flag) =>
    new Option(flag, helpText(key)).hideHelp(flag !== flagUsage(key)),
  );
}

function valueOption(key: SettingKey): Option {
  const { argument = '', repeat } = settingOf(key);
  const isOptional = argument.startsWith('[');
  const usage = flagUsage(key);
  const flags = isOptional ? usage : usage.replace(argument, `<${argument}>`);
  const option = new Option(flags, helpText(key));
  // The brackets of HOST[:PORT] say that a part of the value is optional, not the value.
  option.optional = isOptional;
  if (repeat !== undefined) option.argParser(collect);
  if (isOptional) option.preset('true');
  return option;
}

function helpText(key: SettingKey): string {
  const { help, default: given, defaultText } = settingOf(key);
  // The flag that is shown says it already.
  const text = isSwitch(key) ? undefined : (given ?? defaultText);
  return text === undefined ? help : `${help} (default: ${text})`;
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/**
 * What the command was given, with the process's environment. Throws a ConfigError for arguments that are no flags: the app's
 * command is taken off before.
 */
export function configSources(command: Command, appCommand: readonly string[]): ConfigSources {
  const [stray] = command.args;
  if (stray !== undefined) {
    throw new ConfigError(`unexpected argument "${stray}"; the command of the app comes after --`);
  }
  const flags: Partial<Record<SettingKey, unknown>> = {};
  for (const key of settingKeys) {
    const value: unknown = command.getOptionValue(attributeOf(key));
    if (value !== undefined) flags[key] = value;
  }
  return {
    flags,
    environment: process.env,
    command: appCommand,
    terminal: process.stderr.isTTY,
  };
}

/** The name under which commander keeps the flag's value. */
function attributeOf(key: SettingKey): string {
  return new Option(flagOf(key)).attributeName();
}
