// Go, which builds the servers that no package has.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { requireProgram } from './server-process.ts';

/**
 * Why the module in this file (a `go.mod`) cannot be built here, if it cannot: its servers need a newer Go than some
 * distributions have, and it does not fetch another one by itself.
 */
export function requireGo(moduleFile: string): string | undefined {
  const missing = requireProgram('go', ['golang-go']);
  if (missing !== undefined) return missing;
  const needed = /^go (\d+)\.(\d+)/m.exec(readFileSync(moduleFile, 'utf8'));
  const said = spawnSync('go', ['version'], { encoding: 'utf8' }).stdout;
  const found = /go(\d+)\.(\d+)/.exec(said);
  if (isAtLeast(found, needed)) return undefined;
  return `Go ${needed?.[1] ?? '?'}.${needed?.[2] ?? '?'} or newer is needed (https://go.dev/dl); here is: ${said.trim()}`;
}

type Version = RegExpExecArray | null;

function isAtLeast(found: Version, needed: Version): boolean {
  const [major, minor] = numbersOf(found);
  const [majorMin, minorMin] = numbersOf(needed);
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

function numbersOf(version: Version): readonly [number, number] {
  return [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
}
