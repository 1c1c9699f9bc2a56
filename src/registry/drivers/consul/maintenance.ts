// Says when somebody takes an instance of ours out by Consul's maintenance mode, and when it is back: nothing else would tell
// why nobody calls it.
import type { Instance } from '../../../core/instance.ts';
import type { Logger } from '../../../core/logger.ts';
import type { HttpAnswer } from '../../http-client.ts';

interface MaintenanceDeps {
  readonly logger: Logger;
  /** What the agent knows of an instance's checks. */
  readonly askHealth: (instance: Instance, signal: AbortSignal) => Promise<HttpAnswer>;
}

/** A check that stands for maintenance begins so: of the instance, or of the whole node. */
const checkIds = /^_(?:service|node)_maintenance/;

export class Maintenance {
  readonly #deps: MaintenanceDeps;
  /** Ids of the instances that are in maintenance. */
  readonly #out = new Set<string>();

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps;
  }

  /** Asks, and says what has changed. Never rejects: without an answer there is nothing to say. */
  async look(instance: Instance, signal: AbortSignal): Promise<void> {
    const { logger, askHealth } = this.#deps;
    const { service, id } = instance;
    let reason: string | undefined;
    try {
      reason = reasonIn((await askHealth(instance, signal)).text);
    } catch {
      return;
    }
    if (reason !== undefined && !this.#out.has(id)) {
      this.#out.add(id);
      logger.warn({ service, id, reason }, 'in maintenance by Consul: nobody calls the instance');
    } else if (reason === undefined && this.#out.delete(id)) {
      logger.info({ service, id }, 'out of maintenance');
    }
  }

  forget({ id }: Instance): void {
    this.#out.delete(id);
  }
}

/** Undefined when no check says maintenance; throws for what is no answer to the question. */
function reasonIn(text: string): string | undefined {
  const { Checks: checks } = JSON.parse(text) as { Checks?: unknown };
  if (!Array.isArray(checks)) return undefined;
  for (const check of checks as readonly { CheckID?: unknown; Notes?: unknown }[]) {
    if (!checkIds.test(String(check.CheckID))) continue;
    return typeof check.Notes === 'string' ? check.Notes.slice(0, 200) : '';
  }
  return undefined;
}
