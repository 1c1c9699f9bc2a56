// The views that the driver keeps: of followed services, and of a few that were only read.
import { ServiceView, type ServiceViewDeps } from './service-view.ts';

/** Services that are read but not followed are remembered up to this number. */
const idleMax = 32;

export class Views {
  readonly #deps: ServiceViewDeps;
  readonly #followed = new Map<string, { readonly view: ServiceView; followers: number }>();
  /** Least recently used first. */
  readonly #idle = new Map<string, ServiceView>();

  constructor(deps: ServiceViewDeps) {
    this.#deps = deps;
  }

  get(service: string): ServiceView {
    const followed = this.#followed.get(service);
    if (followed !== undefined) return followed.view;
    const view = this.#idle.get(service) ?? new ServiceView(this.#deps, service);
    this.#putIdle(service, view);
    return view;
  }

  /** The view is kept as long as `use` runs. */
  async whileFollowed<T>(service: string, use: (view: ServiceView) => Promise<T>): Promise<T> {
    const view = this.get(service);
    const followed = this.#followed.get(service) ?? { view, followers: 0 };
    this.#idle.delete(service);
    this.#followed.set(service, followed);
    followed.followers++;
    try {
      return await use(view);
    } finally {
      followed.followers--;
      if (followed.followers === 0) {
        this.#followed.delete(service);
        this.#putIdle(service, view);
      }
    }
  }

  #putIdle(service: string, view: ServiceView): void {
    this.#idle.delete(service);
    this.#idle.set(service, view);
    for (const oldest of this.#idle.keys()) {
      if (this.#idle.size <= idleMax) break;
      this.#idle.delete(oldest);
    }
  }
}
