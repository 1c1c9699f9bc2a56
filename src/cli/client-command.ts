// What the commands that ask a running agent have in common: their options and their collaborators.
import { Option } from 'commander';
import { systemClock, type Clock } from '../core/clock.ts';
import { parseDurationMs } from '../core/durations.ts';
import { ConfigError, RuntimeError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import { systemRandom } from '../core/random.ts';
import { nearest, parseServiceName } from '../core/service-name.ts';
import type { Driver } from '../registry/driver.ts';
import { AdminClient, defaultAdmin, parseAdminAddress } from './client.ts';
import type { Output } from './output.ts';
import { writeResult } from './stdout.ts';

export interface ClientDeps {
  readonly client: AdminClient;
  readonly output: Output;
  readonly clock: Clock;
  /** For asking a registry without an agent, and without making one. Throws a ConfigError when the URL cannot be used. */
  readonly openDriver: (url: string) => Promise<Driver>;
}

export interface ClientOptions {
  readonly admin?: string;
  /** The document of the admin API in place of a text for people. */
  readonly json?: boolean;
}

/** The collaborators of the real program. */
export function clientDeps({ admin = defaultAdmin }: ClientOptions): ClientDeps {
  return {
    client: new AdminClient(parseAdminAddress(admin)),
    output: standardOutput(),
    clock: systemClock,
    openDriver: async (url) => {
      const { openDriver } = await import('../registry/open.ts');
      const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
      return openDriver(url, { ...deps, mustExist: true });
    },
  };
}

export function adminOption(): Option {
  return new Option('--admin <host:port>', 'where the admin API of the agent listens')
    .env('OUTRIGGER_ADMIN')
    .default(defaultAdmin);
}

/** Not read from OUTRIGGER_REGISTRY: beside an agent, the agent is asked. */
export function registryOption(): Option {
  return new Option('-r, --registry <url>', 'ask this registry itself, without an agent');
}

export function jsonOption(): Option {
  return new Option('--json', 'print the JSON of the admin API');
}

export function requireServiceName(text: string): string {
  const name = parseServiceName(text);
  if (name === undefined) throw new ConfigError(`"${text}" is no service name`);
  return name;
}

export function requireDurationMs(flag: string, text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs === undefined) {
    throw new ConfigError(`${flag} "${text}" is not a duration such as 500ms or 30s`);
  }
  return durationMs;
}

/** Without an agent this is said here; an agent says the same. */
export function noSuchService(name: string, known: readonly string[]): RuntimeError {
  const near = nearest(name, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return new RuntimeError(`no service is called "${name}"${hint}`);
}

const registryTimeoutMs = 10_000;

/** Opens the registry, asks it and closes it again, within a bounded time. */
export async function askRegistry<T>(
  { openDriver, clock }: ClientDeps,
  url: string,
  question: (driver: Driver, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const driver = await openDriver(url);
  const abort = new AbortController();
  const timer = clock.after(registryTimeoutMs, () => {
    abort.abort(new RuntimeError(`the registry ${driver.url} does not answer`));
  });
  try {
    return await question(driver, abort.signal);
  } finally {
    timer.cancel();
    await driver.close();
  }
}

function standardOutput(): Output {
  const { stdout, env } = process;
  const color = stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return { write: writeResult, color };
}
