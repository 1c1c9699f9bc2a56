// `outrigger check`: validates the configuration and prints it resolved, each value with its origin.
import type { Command } from 'commander';
import { leaseTiming } from '../../agent/lease-timing.ts';
import { joinCommandLine } from '../../config/command-line.ts';
import type { Config, RegistryConfig } from '../../config/config.ts';
import { describeConfig, formatDescribed, nestDescribed } from '../../config/describe.ts';
import { loadConfig, type ConfigSources, type LoadedConfig } from '../../config/load.ts';
import { redactText } from '../../config/redact.ts';
import { formatPath } from '../../config/strict.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/logger.ts';
import { systemRandom } from '../../core/random.ts';
import { createProbe } from '../../health/probe-table.ts';
import { formatJson } from '../output.ts';
import { addSettingFlags, configSources } from '../settings-flags.ts';
import { writeResult } from '../stdout.ts';

interface CheckOptions {
  readonly json?: boolean;
}

/** What `--json` prints. */
export interface CheckDocument {
  /** As it would be written in a configuration file. */
  readonly config: Readonly<Record<string, unknown>>;
  /** By path; the values that have one. */
  readonly origins: Readonly<Record<string, string>>;
  readonly command: string;
  readonly warnings: readonly string[];
}

export function registerCheck(program: Command, appCommand: readonly string[]): void {
  const command = program
    .command('check')
    .description('Validate the configuration and print it as a file, each value with its origin.')
    .usage('[flags] [-- COMMAND ARG...]')
    .option('--json', 'print JSON')
    .allowExcessArguments();
  addSettingFlags(command);
  command
    .addHelpText('after', examples)
    .action((options: CheckOptions) => check(configSources(command, appCommand), options));
}

async function check(sources: ConfigSources, { json }: CheckOptions): Promise<void> {
  const loaded = await loadConfig(sources);
  for (const registry of loaded.config.registries) await checkRegistry(registry, loaded.config);
  for (const { probes, port } of loaded.config.services) {
    for (const probe of probes) createProbe(probe, { port });
  }
  writeResult(json === true ? formatJson(toDocument(loaded)) : toText(loaded));
}

/** Each driver knows its own parameters; opening one connects to nothing. */
async function checkRegistry(
  { url, registers }: RegistryConfig,
  { services, lease }: Config,
): Promise<void> {
  const { openDriver } = await import('../../registry/open.ts');
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const driver = await openDriver(url, deps);
  await driver.close();
  if (registers && services.length > 0) leaseTiming(lease, driver.capabilities);
}

function toDocument(loaded: LoadedConfig): CheckDocument {
  const values = describeConfig(loaded).filter(({ value }) => value !== undefined);
  return {
    config: nestDescribed(values),
    origins: Object.fromEntries(values.map(({ path, origin }) => [formatPath(path), origin])),
    command: commandLine(loaded),
    warnings: loaded.warnings,
  };
}

function toText(loaded: LoadedConfig): string {
  const command = commandLine(loaded);
  return [
    formatDescribed(describeConfig(loaded)),
    command === '' ? '' : `# command of the app: ${command}\n`,
    ...loaded.warnings.map((warning) => `# warning: ${warning}\n`),
  ].join('');
}

function commandLine({ config }: LoadedConfig): string {
  return redactText(joinCommandLine(config.command)).replaceAll('\n', ' ');
}

const examples = `
Examples:
  $ outrigger check --config outrigger.yaml
  $ OUTRIGGER_TTL=10s outrigger check --name payments --port 8080 --json`;
