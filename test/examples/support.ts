// What the tests of the examples share: their files, and their command lines as the program reads them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { addSettingFlags, configSources } from '../../src/cli/settings-flags.ts';
import { defaultAdmin } from '../../src/cli/client.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { variableOf, settingKeys } from '../../src/config/settings.ts';
import { formatAddress } from '../../src/core/address.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom } from '../../src/core/random.ts';
import { openDriver } from '../../src/registry/open.ts';

const root = new URL('../../', import.meta.url);

/** The absolute path of a file of the repository. */
export function pathOf(path: string): string {
  return fileURLToPath(new URL(path, root));
}

export function textOf(path: string): Promise<string> {
  return readFile(pathOf(path), 'utf8');
}

type Environment = Readonly<Record<string, string>>;

/**
 * The configuration that `outrigger` gets from `run …`; fails with what the program would say when it refuses it. Nothing is
 * connected to. Variables that begin with OUTRIGGER_ must be those of settings.
 */
export async function loadRun(
  words: readonly string[],
  environment: Environment = {},
): Promise<Config> {
  assert.equal(words[0], 'run', words.join(' '));
  const variables = settingKeys.map(variableOf);
  for (const name of Object.keys(environment).filter((one) => one.startsWith('OUTRIGGER_'))) {
    assert.ok(variables.includes(name), `${name} is the variable of no setting`);
  }
  const at = words.indexOf('--');
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addSettingFlags(command.allowExcessArguments());
  command.parse(words.slice(1, at === -1 ? undefined : at), { from: 'user' });
  const sources = configSources(command, at === -1 ? [] : words.slice(at + 1));
  const { config, warnings } = await loadConfig({
    ...sources,
    environment: { HOME: '/nonexistent', ...environment },
  });
  assert.deepEqual(warnings, []);
  for (const { url } of config.registries) await checkRegistry(url);
  return config;
}

/** Each driver reads its own URL; a driver that is not started connects to nothing. */
export async function checkRegistry(url: string): Promise<void> {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const driver = await openDriver(url, deps);
  await driver.close();
}

/** `30s`, `2m`, `500ms` of the files of others. */
export function secondsOf(text: string | undefined): number {
  const [, count, unit] = /^(\d+)(ms|s|m|min)$/.exec(text ?? '') ?? [];
  assert.ok(count !== undefined && unit !== undefined, `${String(text)} is no time`);
  const seconds = { ms: 0.001, s: 1, m: 60, min: 60 } as const;
  return Number(count) * seconds[unit as keyof typeof seconds];
}

/** Asserts that this asks whether the agent is ready, where the configuration has its admin API: at the default address. */
export function assertAsksReadiness(words: readonly string[], { admin }: Config): void {
  assert.deepEqual(words, ['outrigger', 'status', '--ready']);
  assert.equal(formatAddress(admin), defaultAdmin);
}
