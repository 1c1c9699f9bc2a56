// Loading in tests: from single sources, and from files that live as long as a test.
import type { TestContext } from 'node:test';
import { loadConfig, type ConfigSources, type LoadedConfig } from '../../src/config/load.ts';
import { temporaryFile } from './temporary-file.ts';

export const home = { HOME: '/home/someone' };

/** Loads from these sources; what is not given is empty. */
export function load(sources: Partial<ConfigSources>): Promise<LoadedConfig> {
  return loadConfig({ flags: {}, environment: home, command: [], terminal: false, ...sources });
}

/** Loads a YAML file, called `a.yaml`. */
export async function loadFile(
  t: TestContext,
  text: string,
  sources: Partial<ConfigSources> = {},
): Promise<LoadedConfig> {
  const config = await temporaryFile(t, 'a.yaml', text);
  return load({ ...sources, flags: { config, ...sources.flags } });
}
