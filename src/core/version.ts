// The program's version, from its package.
import { readFileSync } from 'node:fs';

/** Read when asked for; the same path holds from the sources and from the build. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
