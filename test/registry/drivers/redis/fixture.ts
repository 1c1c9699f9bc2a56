// What the tests of the Redis driver share: drivers on real time, instances, and followers that keep what they were told.
import assert from 'node:assert/strict';
import { systemClock } from '../../../../src/core/clock.ts';
import type { RegistryErrorCode } from '../../../../src/core/errors.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openRedis } from '../../../../src/registry/drivers/redis/driver.ts';
import type { Certificates } from '../../../servers/certificates.ts';
import { eventually } from '../../../support/eventually.ts';

/** The permissions that the documentation names for one server, for a user `app` with the password `pw`. */
export const leastPermissions: readonly string[] = [
  ...['ACL', 'SETUSER', 'app', 'on', '>pw', '~sd:*', '&sd:*', '-@all', '+@scripting'],
  ...['+@connection', '+time', '+publish', '+subscribe', '+unsubscribe', '+@hash', '+@sortedset'],
  ...['+@set', '+@keyspace', '-@dangerous'],
];

export const never = new AbortController().signal;

export function openDriver(url: string): Driver {
  return openRedis(url, { clock: systemClock, random: systemRandom, logger: silentLogger });
}

/** The parameters of a URL that name these of the files. */
export function tlsQuery(
  { files }: Certificates,
  ...names: readonly (keyof Certificates['files'])[]
): string {
  return `?${names.map((name) => `${name}=${files[name]}`).join('&')}`;
}

export function instance(id: string, changes: Partial<Instance> = {}): Instance {
  const port = 1000 + (Number(/\d+$/.exec(id)?.[0] ?? 0) % 60_000);
  return {
    service: 'payments',
    id,
    host: '10.0.0.1',
    port,
    weight: 1,
    tags: [],
    meta: {},
    ...changes,
  };
}

export function idsOf(reading: Reading | undefined): readonly string[] {
  return (reading?.instances ?? []).map(({ id }) => id).sort();
}

/** Polls `check` as `eventually` does, for conditions that only the registry can tell. */
export async function eventuallyReads(
  driver: Driver,
  service: string,
  ids: readonly string[],
  deadlineMs = 5000,
): Promise<Reading> {
  return eventually(
    `${service} is ${ids.join(', ')}`,
    async () => {
      const reading = await driver.read(service, never);
      return idsOf(reading).join() === ids.join() && reading;
    },
    { deadlineMs, everyMs: 50 },
  );
}

/** A running `follow` and everything that it told. */
export class Following implements AsyncDisposable {
  readonly readings: Reading[] = [];
  confirmations = 0;
  /** Undefined while it runs; `done` after its signal. */
  ending: 'done' | Error | undefined;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;

  private constructor(driver: Driver, service: string, from: Reading) {
    const sink = {
      changed: (reading: Reading): void => void this.readings.push(reading),
      confirmed: (): void => {
        this.confirmations++;
      },
    };
    this.#running = driver.follow(service, from, sink, this.#abort.signal).then(
      () => {
        this.ending = 'done';
      },
      (error: unknown) => {
        this.ending = error instanceof Error ? error : new Error(String(error));
      },
    );
  }

  /** Resolves when the driver has said once that it follows. */
  static async start(driver: Driver, service = 'payments', from?: Reading): Promise<Following> {
    const first = from ?? (await driver.read(service, never));
    const following = new Following(driver, service, first);
    await eventually('following', () => {
      if (following.ending instanceof Error) throw following.ending;
      return following.confirmations + following.readings.length > 0;
    });
    return following;
  }

  get last(): Reading | undefined {
    return this.readings.at(-1);
  }

  async until(what: string, check: () => boolean, deadlineMs = 5000): Promise<void> {
    await eventually(what, check, { deadlineMs });
  }

  async untilIds(...ids: readonly string[]): Promise<void> {
    await this.until(`the list is ${ids.join(', ')}`, () => {
      return this.last !== undefined && idsOf(this.last).join() === ids.join();
    });
  }

  async untilEnded(): Promise<'done' | Error> {
    return eventually('following has ended', () => this.ending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }
}

/** Does all that a driver does; fails when something of it is not permitted. */
export async function doesEverything(url: string): Promise<void> {
  const driver = openDriver(url);
  try {
    await driver.acquire(instance('p1'), 10_000, never);
    await using following = await Following.start(driver);
    assert.equal(await driver.renew(instance('p1'), 10_000, never), 'ok');
    assert.deepEqual(await driver.names(never), ['payments']);
    await driver.release(instance('p1'), never);
    await following.untilIds();
  } finally {
    await driver.close();
  }
}

/** Reads and registrations fail with this code. */
export async function refuses(url: string, code: RegistryErrorCode): Promise<void> {
  const driver = openDriver(url);
  try {
    await assert.rejects(driver.read('payments', never), { name: 'RegistryError', code });
    await assert.rejects(driver.acquire(instance('a1'), 10_000, never), { code });
  } finally {
    await driver.close();
  }
}

/** What servers with TLS, which are at `url` and want a certificate of their clients, refuse. */
export async function refusesBadCertificates(
  url: string,
  certificates: Certificates,
): Promise<void> {
  const query = (...names: readonly ('ca' | 'cert' | 'key')[]): string =>
    tlsQuery(certificates, ...names);
  await refuses(`${url}${query('cert', 'key')}`, 'registry_unreachable');
  await refuses(
    `${url}${query('ca', 'cert', 'key')}&servername=redis.example`,
    'registry_unreachable',
  );
  await refuses(`${url}${query('ca')}`, 'registry_unreachable');
}
