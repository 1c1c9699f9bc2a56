// The `file:` driver: a directory that all agents of a host (or of a shared file system) read and write. Needs no server.
import { readdir } from 'node:fs/promises';
import { messageOf, RegistryError } from '../../../core/errors.ts';
import type { Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { CleanUp } from './clean-up.ts';
import { isMissing, isUnreadable, unlessMissing } from './failure.ts';
import { followService } from './follow.ts';
import { Layout } from './layout.ts';
import { LeaseFiles } from './lease-files.ts';
import { isRecordName } from './names.ts';
import { Operations } from './operations.ts';
import { ownProcess, type ProcessIdentity } from './processes.ts';
import { RegistryAge } from './registry-age.ts';
import { ServerTime } from './server-time.ts';
import { parseFileUrl, type FileSettings } from './settings.ts';
import { Views } from './views.ts';

/** Throws a ConfigError when the URL is wrong. The directory is made and checked at first use. */
export function openFile(url: string, deps: DriverDeps): Driver {
  return new FileDriver(deps, parseFileUrl(url));
}

class FileDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #settings: FileSettings;
  readonly #operations: Operations;
  readonly #layout: Layout;
  readonly #serverTime: ServerTime;
  readonly #leases: LeaseFiles;
  readonly #views: Views;
  readonly #cleanUp: CleanUp;
  #own: Promise<ProcessIdentity | undefined> | undefined;
  #namesMade = 0;

  constructor(deps: DriverDeps, settings: FileSettings) {
    const { clock, mustExist = false } = deps;
    this.#deps = deps;
    this.#settings = settings;
    this.url = settings.url;
    this.capabilities = {
      ttlMs: settings.ttlMs,
      heartbeatMs: settings.heartbeatMs,
      propagationMs: 1000,
      advertise: 'loopback',
      registers: true,
    };
    const uniqueName = (): string => this.#uniqueName();
    const ownOnce = (): Promise<ProcessIdentity | undefined> => (this.#own ??= ownProcess());
    const layout = new Layout({ ...settings, mustExist });
    const serverTime = new ServerTime({ clock, uniqueName }, layout.temporary);
    const age = new RegistryAge({ clock, layout, serverTime }, settings.ttlMs);
    const shared = { clock, layout, serverTime, uniqueName, ownProcess: ownOnce };
    this.#operations = new Operations(clock, settings.directory);
    this.#layout = layout;
    this.#serverTime = serverTime;
    this.#leases = new LeaseFiles(shared);
    this.#views = new Views({ ...shared, age });
    this.#cleanUp = new CleanUp(shared);
  }

  acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void> {
    return this.#operations.run(`register ${instance.service}`, signal, async (ended) => {
      requireServiceName(instance.service);
      await this.#leases.acquire(instance, ttlMs, ended);
    });
  }

  async renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    const renewed = await this.#operations.run(`renew ${instance.service}`, signal, async () => {
      requireServiceName(instance.service);
      return this.#leases.renew(instance, ttlMs);
    });
    this.#cleanUpBeside();
    return renewed;
  }

  release(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#operations.run(`release ${instance.service}`, signal, async () => {
      requireServiceName(instance.service);
      await this.#leases.release(instance);
    });
  }

  async read(service: string, signal: AbortSignal): Promise<Reading> {
    const reading = await this.#operations.run(`read ${service}`, signal, async () => {
      requireServiceName(service);
      return this.#views.get(service).refresh({ files: 'all', processes: true });
    });
    this.#cleanUpBeside();
    return reading;
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#deps;
    const options = { from, pollMs: this.#settings.pollMs };
    try {
      await this.#operations.run(`follow ${service}`, signal, (ended) => {
        requireServiceName(service);
        return this.#views.whileFollowed(service, (view) =>
          followService({ clock, layout: this.#layout, view, sink }, options, ended),
        );
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  names(signal: AbortSignal): Promise<readonly string[]> {
    return this.#operations.run('list the services', signal, async () => {
      await this.#layout.ensure();
      const names: string[] = [];
      for (const name of (await unlessMissing(readdir(this.#layout.services))) ?? []) {
        if (parseServiceName(name) !== name) continue;
        const files = await filesOf(this.#layout.service(name));
        if (files.some(isRecordName)) names.push(name);
      }
      return names.sort();
    });
  }

  async close(): Promise<void> {
    await this.#operations.close();
    await this.#serverTime.close();
  }

  /** Nobody waits for it, and nothing depends on it. */
  #cleanUpBeside(): void {
    this.#operations
      .run('clean up', undefined, (ended) => this.#cleanUp.runIfDue(ended))
      .catch((error: unknown) => {
        this.#deps.logger.debug({ cause: messageOf(error) }, 'registry clean-up failed');
      });
  }

  #uniqueName(): string {
    const random = Math.floor(this.#deps.random() * 2 ** 48).toString(36);
    return `${process.pid}-${++this.#namesMade}-${random}`;
  }
}

/** The name becomes a folder's name, so nothing but a service name may reach the file system. */
function requireServiceName(service: string): void {
  if (parseServiceName(service) === service) return;
  throw new RegistryError('registry_invalid', `${JSON.stringify(service)} is no service name`);
}

/** None in what is no readable folder: it must not hide all other services. */
async function filesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error) || isUnreadable(error)) return [];
    throw error;
  }
}
