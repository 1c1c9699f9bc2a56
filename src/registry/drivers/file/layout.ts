// Where things are in the directory, and how it comes to be: private to its user, or shared on purpose.
import { chmod, lstat, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { RegistryError, systemCodeOf } from '../../../core/errors.ts';
import { makeFolder, makeFolders } from '../../folders.ts';
import { isMissing, unlessMissing } from './failure.ts';
import type { FileSettings } from './settings.ts';

/** One instance's three files. */
export interface InstancePaths {
  /** Changes only with the instance: readers watch its folder. */
  readonly record: string;
  /** Its mtime is the last heartbeat. Not in a watched folder: a beat is news for nobody. */
  readonly heartbeat: string;
  /** Written by a release, so that it differs from a record that somebody deleted. */
  readonly left: string;
}

interface LayoutSettings extends Pick<FileSettings, 'directory' | 'guarded' | 'shared'> {
  readonly mustExist: boolean;
}

export class Layout {
  readonly directory: string;
  /** Folders of the services, each with its records. */
  readonly services: string;
  /** Files on their way to be renamed. */
  readonly temporary: string;
  /** Written once, when the directory is made: its mtime is the age of all that the registry knows. */
  readonly created: string;
  /** Its mtime is the last clean-up by an agent of this user. */
  readonly cleaned: string;
  readonly #settings: LayoutSettings;
  #prepared: Promise<void> | undefined;

  constructor(settings: LayoutSettings) {
    this.#settings = settings;
    this.directory = settings.directory;
    this.services = join(settings.directory, 'svc');
    this.temporary = join(settings.directory, 'tmp');
    this.created = join(settings.directory, 'created');
    this.cleaned = join(settings.directory, `cleaned-${process.getuid?.() ?? 0}`);
  }

  service(service: string): string {
    return join(this.services, service);
  }

  heartbeats(service: string): string {
    return join(this.directory, 'hb', service);
  }

  left(service: string): string {
    return join(this.directory, 'left', service);
  }

  instance(service: string, fileName: string): InstancePaths {
    return {
      record: join(this.service(service), fileName),
      heartbeat: join(this.heartbeats(service), fileName),
      left: join(this.left(service), fileName),
    };
  }

  /** Before the first use: `ensure`, once. */
  async prepare(): Promise<void> {
    this.#prepared ??= this.ensure();
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  /** Makes what is missing of the directory, unless it must exist; refuses one that others could tamper with. */
  async ensure(): Promise<void> {
    if (this.#settings.mustExist) await this.#requireRegistry();
    for (const directory of this.#settings.guarded) {
      await this.#makeFolder(directory);
      // A link in place of the default directory is somebody's trap; in place of another one it is the user's choice.
      const look = this.#settings.guarded.length > 1 ? lstat : stat;
      this.#check(directory, await look(directory));
    }
    await this.#makeFolder(this.services);
    await this.#makeFolder(this.temporary);
    await this.#makeFolder(join(this.directory, 'hb'));
    await this.#makeFolder(join(this.directory, 'left'));
    await this.#markCreated();
  }

  /** Makes the folders that a service's first record needs. */
  async ensureService(service: string): Promise<void> {
    await this.#makeFolder(this.service(service));
    await this.#makeFolder(this.heartbeats(service));
    await this.#makeFolder(this.left(service));
  }

  async #requireRegistry(): Promise<void> {
    if ((await unlessMissing(stat(this.created))) !== undefined) return;
    const found = await unlessMissing(stat(this.directory));
    const lack = found === undefined ? 'does not exist' : 'is no registry: no agent has used it';
    throw new RegistryError('registry_unreachable', `${this.directory} ${lack}`);
  }

  async #makeFolder(path: string): Promise<void> {
    const { shared, directory } = this.#settings;
    // Only the directory itself may have to be made with its parents: the rest must not come back without its check.
    const make = path === directory ? makeFolders : makeFolder;
    const made = await make(path, shared ? 0o1777 : 0o700);
    // The umask has taken rights from a folder that is for everybody. One that was there is its owner's choice.
    if (shared && made) await chmod(path, 0o1777);
  }

  #check(directory: string, found: Stats): void {
    if (!found.isDirectory()) {
      throw new RegistryError('registry_invalid', `${directory} is no directory`);
    }
    const user = process.getuid?.();
    if (user === undefined) return;
    const mode = `mode ${(found.mode & 0o7777).toString(8)}`;
    if (this.#settings.shared) {
      if ((found.mode & 0o002) === 0 || (found.mode & 0o1000) !== 0) return;
      throw new RegistryError(
        'registry_auth',
        `${directory} (${mode}) lets every user delete the others' records; make it sticky: chmod 1777 ${directory}`,
      );
    }
    if (found.uid !== user) {
      throw new RegistryError(
        'registry_auth',
        `${directory} belongs to user ${found.uid}, not to ${user}; name another directory, or share it with ?shared=1`,
      );
    }
    if ((found.mode & 0o022) !== 0) {
      throw new RegistryError(
        'registry_auth',
        `${directory} (${mode}) can be written by other users; chmod 700 ${directory}, or share it with ?shared=1`,
      );
    }
  }

  async #markCreated(): Promise<void> {
    try {
      const file = await open(this.created, 'wx', 0o644);
      await file.close();
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Does an operation whose folders may be missing, or be removed at any time: makes them then, and tries again. */
export async function withFolders<T>(
  make: () => Promise<void>,
  operation: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await operation();
    } catch (error) {
      if (!isMissing(error) || tries === 5) throw error;
    }
    await make().catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}
