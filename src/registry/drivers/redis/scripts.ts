// The Lua scripts: read from the files beside this one, and run by their hash.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isScriptUnknown } from './redis-errors.ts';
import type { RedisPort } from './redis-port.ts';

const names = ['register', 'renew', 'deregister', 'snapshot', 'count'] as const;

export type ScriptName = (typeof names)[number];

interface Script {
  readonly source: string;
  readonly sha1: string;
}

export type Scripts = Readonly<Record<ScriptName, Script>>;

/** Each script begins with the name of the command that publishes and with sweep.lua. */
export function loadScripts(publish: 'PUBLISH' | 'SPUBLISH'): Scripts {
  const prologue = `local PUBLISH = '${publish}'\n${readScript('sweep')}`;
  const entries = names.map((name) => {
    const source = `${prologue}\n${readScript(name)}`;
    return [name, { source, sha1: createHash('sha1').update(source).digest('hex') }] as const;
  });
  return Object.fromEntries(entries) as Record<ScriptName, Script>;
}

/** Sends the hash, and the source only when the server does not know it (any more). */
export async function runScript(
  port: RedisPort,
  script: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await port.command('EVALSHA', [script.sha1, ...rest]);
  } catch (error) {
    if (!isScriptUnknown(error)) throw error;
    return port.command('EVAL', [script.source, ...rest]);
  }
}

function readScript(name: string): string {
  return readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
}
