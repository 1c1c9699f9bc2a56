// The configuration file: reading it, and where in it each value was written.
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { ConfigError, messageOf, systemCodeOf } from '../core/errors.ts';
import { fileSchema, type ConfigFile } from './schema.ts';
import { formatPath, read } from './strict.ts';
import { shown, suggestion } from './values.ts';

/** A file that was read, with the paths (`services[0].port`) of everything that it says. */
export interface ReadFile {
  readonly path: string;
  readonly content: ConfigFile;
  readonly written: ReadonlySet<string>;
}

/** Bytes of a configuration file; more is a mistake. */
const fileBytesMax = 4_194_304;

/**
 * Reads and checks the file: YAML when its name ends with `.yaml` or `.yml`, JSON otherwise. `source` is the flag or variable
 * that named it. Throws a ConfigError.
 */
export async function readConfigFile(path: string, source: string): Promise<ReadFile> {
  const text = await readText(path, source);
  const raw = /^\.ya?ml$/i.test(extname(path))
    ? await parseYaml(path, text)
    : parseJson(path, text);
  const reading = read(fileSchema, raw ?? {});
  if ('value' in reading) return { path, content: reading.value, written: writtenPaths(raw) };
  const { problem } = reading;
  const where = problem.path.length === 0 ? path : `${path}: ${formatPath(problem.path)}`;
  throw new ConfigError(`${where}: ${problem.message}`);
}

async function readText(path: string, source: string): Promise<string> {
  try {
    const content = await readFile(path);
    if (content.length > fileBytesMax) throw new ConfigError(`${path}: is larger than 4MiB`);
    return content.toString('utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${source}: ${shown(path)} ${await unreadable(path, error)}`, {
      cause: error,
    });
  }
}

async function unreadable(path: string, error: unknown): Promise<string> {
  const code = systemCodeOf(error);
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read (permission denied)';
  if (code !== 'ENOENT' && code !== 'ENOTDIR')
    return `cannot be read (${code ?? messageOf(error)})`;
  const neighbours = await readdir(dirname(path)).catch(() => []);
  return `does not exist${suggestion(basename(path), neighbours)}`;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = messageOf(error);
    const offset = / at position (\d+)/.exec(message)?.[1];
    const place = offset === undefined ? path : `${path}:${lineAndColumn(text, Number(offset))}`;
    const what = message.replace(/(?: in JSON)? at position.*$/s, '');
    throw new ConfigError(`${place}: invalid JSON: ${what}`, { cause: error });
  }
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

async function parseYaml(path: string, text: string): Promise<unknown> {
  // Only a YAML file pays for loading the parser.
  const { LineCounter, parseDocument } = await import('./yaml.ts');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new ConfigError(`${path}:${line}:${col}: invalid YAML: ${error.message}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigError(`${path}: invalid YAML: ${messageOf(error)}`, { cause: error });
  }
}

function writtenPaths(raw: unknown): ReadonlySet<string> {
  const paths = new Set<string>();
  const visit = (node: unknown, path: readonly (string | number)[]): void => {
    if (path.length > 0) paths.add(formatPath(path));
    if (path.length > 3 || typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      visit(child, [...path, Array.isArray(node) ? Number(key) : writtenKey(key, path)]);
    }
  };
  visit(raw, []);
  return paths;
}

/** Names of services are compared in lower case. */
function writtenKey(key: string, parent: readonly (string | number)[]): string {
  return parent.length === 1 && parent[0] === 'upstreams' ? key.toLowerCase() : key;
}
