// What flags, variables and the file said, read but not yet put together.
import type { ConfigFile } from './schema.ts';
import type { SettingValues } from './settings.ts';

/** All that the Config is made of, already read. */
export interface ReadValues {
  /** Defaults included. */
  readonly values: SettingValues;
  readonly file: ConfigFile | undefined;
  readonly command: readonly string[];
  /** Where the value of a path was given, for an error. */
  readonly where: (path: string) => string;
  /** False for a default. */
  readonly isGiven: (path: string) => boolean;
}

/** A value that has a default. */
export function need<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('a setting lost its default');
  return value;
}
