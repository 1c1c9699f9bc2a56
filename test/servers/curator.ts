// A real Curator client for tests: a small Java program beside this file, with Curator from Maven.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireProgram } from './server-process.ts';

export interface CuratorPeer {
  /** The service's instances as it sees them now: `id address port url`, by id. */
  instances(): readonly string[];
  /** What it wrote to stderr. */
  errors(): string;
  /** Deregisters its instance and ends. */
  stop(): Promise<void>;
}

const sources = fileURLToPath(new URL('curator/', import.meta.url));

/** Why tests with Curator cannot run here, if they cannot. Fetches the library when that has not been done yet. */
export function requireCurator(): string | undefined {
  // Of the development kit: the program is compiled when it is started.
  const java = requireProgram('javac', ['openjdk-17-jdk-headless']);
  if (java !== undefined || existsSync(libraryDirectory())) return java;
  const failure = requireProgram('mvn', ['maven']) ?? fetchLibrary();
  if (failure !== undefined && process.env['CI'] === 'true') throw new Error(failure);
  return failure;
}

/** Registers `java-1` at 127.0.0.1:9999 and watches the service. */
export function startCuratorPeer(
  server: string,
  { base, service }: { readonly base: string; readonly service: string },
): CuratorPeer {
  const classPath = join(libraryDirectory(), '*');
  const program = join(sources, 'CuratorPeer.java');
  const child = spawn('java', ['-cp', classPath, program, server, base, service], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let latest = '';
  let errors = '';
  createInterface(child.stdout).on('line', (line) => (latest = line));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    instances: () => latest.split(';').filter((text) => text !== ''),
    errors: () => errors,
    stop: async () => {
      child.stdin.end();
      await ended(child);
      process.removeListener('exit', kill);
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, 'exit', { signal: AbortSignal.timeout(10_000) }).catch(() =>
    child.kill('SIGKILL'),
  );
}

function libraryDirectory(): string {
  const pom = readFileSync(join(sources, 'pom.xml'), 'utf8');
  const version = /<curator\.version>(.*)<\/curator\.version>/.exec(pom)?.[1] ?? '';
  return join(homedir(), '.cache', 'outrigger-test-servers', `curator-${version}`);
}

/** Returns why it failed, if it did. */
function fetchLibrary(): string | undefined {
  const directory = libraryDirectory();
  mkdirSync(join(directory, '..'), { recursive: true });
  const work = mkdtempSync(`${directory}.`);
  try {
    cpSync(sources, work, { recursive: true });
    const args = ['--quiet', '--batch-mode', 'dependency:copy-dependencies'];
    const { status, stdout, stderr, error } = spawnSync('mvn', args, {
      cwd: work,
      encoding: 'utf8',
    });
    if (status !== 0) return `mvn: ${error?.message ?? (stdout + stderr).slice(-2000)}`;
    if (!existsSync(directory)) renameSync(join(work, 'target', 'dependency'), directory);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
