// All services that are watched over one connection.
import type { RegistryError } from '../../../core/errors.ts';
import { folderOf, type Layout } from './layout.ts';
import { ServiceView, type ServiceViewDeps } from './service-view.ts';

interface ViewsDeps extends ServiceViewDeps {
  readonly layout: Layout;
}

/** Views that nobody follows are kept up to this number: reading a service goes before following it. */
const unfollowedMax = 64;

export class Views {
  readonly #deps: ViewsDeps;
  /** By folder. */
  readonly #views = new Map<string, ServiceView>();
  #failure: RegistryError | undefined;

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  of(service: string): ServiceView {
    const folder = folderOf(this.#deps.layout, service);
    const known = this.#views.get(folder);
    if (known !== undefined) return known;
    this.#makeRoom();
    const view = new ServiceView(this.#deps, { service, folder });
    if (this.#failure !== undefined) view.lost(this.#failure);
    this.#views.set(folder, view);
    return view;
  }

  event(type: number, path: string): void {
    const slash = path.lastIndexOf('/');
    this.#views.get(path)?.event(type, undefined);
    this.#views.get(path.slice(0, slash))?.event(type, path.slice(slash + 1));
  }

  lost(error: RegistryError): void {
    this.#failure = error;
    for (const view of this.#views.values()) view.lost(error);
  }

  /** Events for a forgotten view are ignored; its watches end with their first event or with the connection. */
  #makeRoom(): void {
    const unfollowed = [...this.#views].filter(([, view]) => !view.followed);
    const surplus = unfollowed.slice(0, Math.max(0, unfollowed.length + 1 - unfollowedMax));
    for (const [folder] of surplus) this.#views.delete(folder);
  }
}
