// The Agent: its parts from the first listener to the exit code.
import type { AdminServer } from '../admin/server.ts';
import { formatAddress } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { DnsServer } from '../dns/server.ts';
import type { Logger } from '../core/logger.ts';
import type { Registries } from '../registry/registries.ts';
import type { Prober } from '../upstream/prober.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { AgentSteps, RunnableProxy } from './drain-steps.ts';
import type { Drain, DrainCause } from './drain.ts';
import type { LocalService } from './local-service.ts';
import { warnIfTaken } from './reachability.ts';
import { AppStartError, type Supervisor } from './supervisor.ts';
import { untilAvailable } from './until-available.ts';

export interface AgentDeps {
  readonly registries: Registries;
  readonly upstreams: Upstreams;
  readonly proxy: RunnableProxy;
  readonly admin: AdminServer;
  readonly dns: DnsServer | undefined;
  readonly services: readonly LocalService[];
  readonly supervisor: Supervisor | undefined;
  readonly steps: AgentSteps;
  readonly drain: Drain;
  readonly prober: Prober;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AgentOptions {
  /** Services that must have an instance before the supervised app is started. */
  readonly waitFor: readonly string[];
}

export class Agent {
  readonly #deps: AgentDeps;
  readonly #options: AgentOptions;
  #exitCode = 0;
  #ended: ((exitCode: number) => void) | undefined;
  /** Resolves with the exit code when nothing of the agent is left. */
  readonly done: Promise<number>;

  constructor(deps: AgentDeps, options: AgentOptions) {
    this.#deps = deps;
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /**
   * Resolves when proxy and admin API listen, whether or not the registry answers. False when a drain has begun meanwhile, which
   * then ends what had started. A failed start leaves nothing behind.
   */
  async start(): Promise<boolean> {
    const { registries, upstreams, proxy, admin, dns, steps } = this.#deps;
    try {
      await registries.start();
      await admin.start();
      await proxy.start();
      await dns?.start();
      // Names with dots need the list of services to be told from tags; nothing waits for it.
      void upstreams.refreshNames();
    } catch (error) {
      if (steps.announced.aborted) return false;
      await steps.close();
      await admin.close();
      throw error;
    }
    return !steps.announced.aborted;
  }

  /** Where the agent can be reached; the line that `run` prints. */
  readyLine(): string {
    const { registries, proxy, admin, dns } = this.#deps;
    const registered = registries.urls.map((url) => `registry=${url}`).join(' ');
    const named = dns?.address === undefined ? '' : ` dns=${formatAddress(dns.address)}`;
    return `ready proxy=${proxy.url} admin=${admin.url} ${registered}${named}`;
  }

  /** Starts the app, once what it waits for is there, then its checks and with them its registration. Never rejects. */
  async launch(): Promise<void> {
    const { services, supervisor, steps, logger } = this.#deps;
    try {
      await this.#waitForOthers();
      await this.#lookForStrangers();
      if (steps.announced.aborted) return;
      await supervisor?.start();
      for (const { registrar, health } of services) {
        await registrar.start();
        await health.start();
      }
    } catch (error) {
      if (steps.announced.aborted) return;
      logger.error({ cause: messageOf(error) }, 'the app cannot be started');
      this.#exitCode = error instanceof AppStartError ? error.exitCode : 1;
      await this.drain('failure');
      return;
    }
    void supervisor?.exited.then(({ code }) => this.#onAppExit(code));
  }

  /** Ends the agent phase by phase. Resolves when it has ended; a second call joins the first. */
  async drain(cause: DrainCause): Promise<void> {
    const { drain, admin } = this.#deps;
    await drain.begin(cause);
    await admin.close();
    this.#ended?.(this.#exitCode);
  }

  /** Cuts a drain short: no clean end, unless the app had ended by itself before. */
  force(): void {
    if (this.#exitCode === 0) this.#exitCode = 1;
    this.#deps.drain.force();
  }

  /** Passes a signal on to the supervised app. */
  signal(name: NodeJS.Signals): void {
    this.#deps.supervisor?.signal(name);
  }

  /** An app that runs already is no stranger. */
  async #lookForStrangers(): Promise<void> {
    const { supervisor, services, prober, logger } = this.#deps;
    if (supervisor === undefined) return;
    await Promise.all(services.map((service) => warnIfTaken(service, prober, logger)));
  }

  async #waitForOthers(): Promise<void> {
    const { upstreams, clock, logger, steps } = this.#deps;
    const { waitFor } = this.#options;
    await untilAvailable({ upstreams, clock, logger }, waitFor, steps.announced);
  }

  /** The app's own code counts only when it ended by itself. */
  #onAppExit(code: number): void {
    if (!this.#deps.steps.announced.aborted) this.#exitCode = code;
    void this.drain('app_exit');
  }
}
