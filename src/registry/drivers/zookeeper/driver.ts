// The registry in ZooKeeper: one ephemeral node for each instance, kept by the driver's session and watched by readers.
import type { Instance } from '../../../core/instance.ts';
import { parseServiceName } from '../../../core/service-name.ts';
import type { Capabilities, Driver, DriverDeps, FollowSink, Reading } from '../../driver.ts';
import { Follower } from './follower.ts';
import { folderOf } from './layout.ts';
import { Leases } from './leases.ts';
import type { Link } from './link.ts';
import { parseLocation, type ZooKeeperLocation } from './location.ts';
import type { ServiceView } from './service-view.ts';
import { Session } from './session.ts';

/** Opens `zk:` and `zks:` URLs; throws a ConfigError for one that cannot work. Connects at first use. */
export function openZooKeeper(url: string, deps: DriverDeps): Driver {
  return new ZooKeeperDriver(deps, parseLocation(url));
}

/** Followers hear of a release at once; the rest is what their machines may take. */
const propagationMs = 1000;
/** More names than this are not looked at. */
const namesMax = 10_000;
const namesAtOnce = 200;

class ZooKeeperDriver implements Driver {
  readonly url: string;
  readonly capabilities: Capabilities;
  readonly #deps: DriverDeps;
  readonly #location: ZooKeeperLocation;
  readonly #session: Session;
  readonly #leases: Leases;
  /** Of each service that was followed: the incarnation of its folder that the follower saw last. */
  readonly #seen = new Map<string, string>();

  constructor(deps: DriverDeps, location: ZooKeeperLocation) {
    this.#deps = deps;
    this.#location = location;
    this.#session = new Session(deps, location);
    this.#leases = new Leases(location);
    this.url = location.url;
    this.capabilities = {
      ttlMs: location.ttlMs,
      heartbeatMs: location.heartbeatMs,
      propagationMs,
      advertise: 'first-address',
      registers: true,
    };
  }

  /** The lease lasts as long as the session, whose timeout the URL gives: `ttlMs` cannot be another one. */
  acquire(instance: Instance, _ttlMs: number, signal: AbortSignal): Promise<void> {
    return this.#session.use((link) => this.#leases.acquire(link, instance), signal);
  }

  renew(instance: Instance, _ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'> {
    return this.#session.use((link) => this.#leases.renew(link, instance), signal);
  }

  release(instance: Instance, signal: AbortSignal): Promise<void> {
    return this.#session.use((link) => this.#leases.release(link, instance), signal);
  }

  read(service: string, signal: AbortSignal): Promise<Reading> {
    return this.#session.use(async ({ views }) => {
      const view = views.of(service);
      await view.refresh({ list: true });
      return this.#complete(service, view, view.reading());
    }, signal);
  }

  async follow(
    service: string,
    from: Reading,
    sink: FollowSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const { connection, views } = await this.#session.use(async (link) => link, signal);
    const view = views.of(service);
    const complete = (reading: Reading): Reading => {
      const completed = this.#complete(service, view, reading);
      this.#remember(service, view);
      return completed;
    };
    const follower = new Follower(
      { clock, random, connection, view, sink, complete },
      { version: from.version, confirmEveryMs: this.#location.heartbeatMs },
    );
    if (view.reading().version === from.version) this.#remember(service, view);
    await follower.run(signal);
  }

  names(signal: AbortSignal): Promise<readonly string[]> {
    return this.#session.use((link) => this.#names(link), signal);
  }

  async close(): Promise<void> {
    await this.#session.close();
    this.#seen.clear();
  }

  async #names({ nodes }: Link): Promise<readonly string[]> {
    const { layout } = this.#location;
    const found = await nodes.children(layout.before, { watch: false });
    const candidates = (found?.names ?? []).filter((name) => parseServiceName(name) === name);
    const names: string[] = [];
    for (let start = 0; start < Math.min(candidates.length, namesMax); start += namesAtOnce) {
      const batch = candidates.slice(start, start + namesAtOnce);
      const stats = await Promise.all(
        batch.map((name) => nodes.stat(folderOf(layout, name), { watch: false })),
      );
      names.push(...batch.filter((_name, index) => (stats[index]?.children ?? 0) > 0));
    }
    return names.sort();
  }

  /** Only a server that lost its nodes, or somebody who deleted them all, makes the folder of a service another one. */
  #complete(service: string, view: ServiceView, reading: Reading): Reading {
    const seen = this.#seen.get(service);
    return seen !== undefined && seen !== view.identity ? { ...reading, reset: true } : reading;
  }

  #remember(service: string, view: ServiceView): void {
    const { identity } = view;
    if (identity === undefined) this.#seen.delete(service);
    else this.#seen.set(service, identity);
  }
}
