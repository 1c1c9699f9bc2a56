// Finds the primary of replicated Redis servers through Sentinel, and opens connections to it.
import { formatAddress, type Address } from '../../../core/address.ts';
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { firstAnswer } from './first-answer.ts';
import type { SentinelLocation } from './location.ts';
import { toRegistryError } from './redis-errors.ts';
import type { OpenPort, PortEvents, RedisPort } from './redis-port.ts';
import { singleServer } from './single-server.ts';

export interface SentinelDeps {
  readonly clock: Clock;
}

/** What one Sentinel said. */
interface Finding {
  readonly sentinel: Address;
  readonly primary: Address;
}

/** Then the next Sentinel is asked as well. */
const patienceMs = 300;

/**
 * Before each connection a Sentinel is asked who the primary is now, and then that server whether it agrees (Redis
 * documentation, "Guidelines for Redis clients with support for Redis Sentinel"). When it is another one than before, the
 * connections to the former one are lost, as what it still says may be wrong.
 */
export class Sentinels {
  readonly #clock: Clock;
  readonly #location: SentinelLocation;
  readonly #open = new Map<PortEvents, { readonly primary: string; readonly port: RedisPort }>();
  /** In the order in which they are asked. */
  #sentinels: readonly Address[];

  constructor(deps: SentinelDeps, location: SentinelLocation) {
    this.#clock = deps.clock;
    this.#location = location;
    this.#sentinels = location.sentinels;
  }

  readonly openPrimary: OpenPort = async (events, signal) => {
    const { sentinel, primary } = await this.#find(signal);
    const others = this.#sentinels.filter((other) => other !== sentinel);
    try {
      const port = await this.#connect(primary, events, signal);
      this.#sentinels = [sentinel, ...others];
      return port;
    } catch (error) {
      // It may be the one that has not heard of a fail-over: next time it is asked last.
      this.#sentinels = [...others, sentinel];
      throw error;
    }
  };

  async #find(signal: AbortSignal): Promise<Finding> {
    const asking = new AbortController();
    const end = (): void => {
      asking.abort(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      const ask = (sentinel: Address): Promise<Finding> => this.#ask(sentinel, asking.signal);
      return await firstAnswer(this.#clock, this.#sentinels, ask, patienceMs);
    } finally {
      signal.removeEventListener('abort', end);
      // Those that have not answered yet are waited for no longer.
      end();
    }
  }

  async #ask(sentinel: Address, signal: AbortSignal): Promise<Finding> {
    const { primaryName, sentinelAccess } = this.#location;
    try {
      const port = await singleServer({ ...sentinelAccess, ...sentinel })(noEvents, signal);
      const question = ['GET-MASTER-ADDR-BY-NAME', primaryName];
      const answer = await endingWith(port, signal, () =>
        port.command('SENTINEL', question),
      ).finally(() => port.close());
      return { sentinel, primary: readAddress(answer, primaryName) };
    } catch (error) {
      const { code, message } = toRegistryError(error);
      const where = `sentinel ${formatAddress(sentinel)}`;
      throw new RegistryError(code, `${where}: ${message}`, { cause: error });
    }
  }

  async #connect(address: Address, events: PortEvents, signal: AbortSignal): Promise<RedisPort> {
    const primary = formatAddress(address);
    const own: PortEvents = {
      message: (channel, text) => {
        events.message(channel, text);
      },
      lost: (cause) => {
        this.#open.delete(own);
        events.lost(cause);
      },
    };
    const port = await singleServer({ ...this.#location, ...address })(own, signal);
    try {
      const role = await endingWith(port, signal, () => port.command('ROLE', []));
      if (!Array.isArray(role) || role[0] !== 'master') {
        throw new RegistryError('registry_unavailable', `redis: ${primary} is not the primary`);
      }
    } catch (error) {
      await port.close();
      throw error;
    }
    this.#open.set(own, { primary, port });
    for (const other of this.#open.values()) {
      if (other.primary !== primary) void other.port.close();
    }
    return port;
  }
}

const noEvents: PortEvents = { message: () => undefined, lost: () => undefined };

/** What waits for an answer fails as soon as the signal aborts, for the port is closed then. */
async function endingWith<T>(
  port: RedisPort,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const close = (): void => void port.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    signal.throwIfAborted();
    return await work();
  } finally {
    signal.removeEventListener('abort', close);
  }
}

function readAddress(answer: unknown, primaryName: string): Address {
  const [host, port] = Array.isArray(answer) ? (answer as readonly unknown[]) : [];
  if (typeof host !== 'string' || host === '' || !/^[1-9]\d{0,4}$/.test(String(port))) {
    throw new RegistryError('registry_invalid', `knows no primary named "${primaryName}"`);
  }
  return { host, port: Number(port) };
}
