// Asks DNS servers, one after another until one answers, and follows aliases.
import { randomInt } from 'node:crypto';
import { Resolver as SystemResolver } from 'node:dns';
import { formatAddress, parseAddress, type Address } from '../../../core/address.ts';
import type { Clock, Timer } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { asRegistryError } from '../../bounded-driver.ts';
import {
  newQuery,
  unansweredAlias,
  understood,
  type DnsAnswer,
  type Query,
  type QueryType,
} from './query.ts';
import { askOverTcp, askOverUdp, repeatMs } from './transports.ts';

interface ResolverDeps {
  readonly clock: Clock;
}

interface ResolverOptions {
  /** Undefined: those that the system uses, looked up for each query. */
  readonly servers: readonly Address[] | undefined;
  readonly tcp: boolean;
}

/** Aliases that lead to aliases whose records have to be asked for. */
const aliasQueriesMax = 8;

export class Resolver {
  readonly #deps: ResolverDeps;
  readonly #options: ResolverOptions;
  /** The server that answered last is asked first: a dead one must not delay every query. */
  #latest: string | undefined;

  constructor(deps: ResolverDeps, options: ResolverOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** No records when there are none. Rejects with a RegistryError when no server answers, or none can. */
  async query(name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
    let found = await this.#ask(name, type, signal);
    for (let asked = name, count = 0; ; count++) {
      const next = unansweredAlias({ name, type }, found);
      if (next === undefined || next === asked) return found;
      if (count === aliasQueriesMax) {
        throw new RegistryError('registry_invalid', `DNS: ${name} has too many aliases`);
      }
      asked = next;
      const more = await this.#ask(next, type, signal);
      found = { ...more, answers: [...(found.answers ?? []), ...(more.answers ?? [])] };
    }
  }

  async #ask(name: string, type: QueryType, signal: AbortSignal): Promise<DnsAnswer> {
    // Not from the injected randomness: whoever guesses it can forge answers (RFC 5452 §4.3).
    const query = newQuery(name, type, randomInt(65_536));
    if (query === undefined) return {};
    const servers = this.#options.servers ?? systemServers();
    const isLatest = (server: Address): boolean => formatAddress(server) === this.#latest;
    const ordered = [...servers.filter(isLatest), ...servers.filter((server) => !isLatest(server))];
    return this.#askAny(ordered, query, signal);
  }

  /**
   * The next server is asked too when one failed, or did not answer for a while; the first answer counts. Rejects when all
   * have failed.
   */
  #askAny(servers: readonly Address[], query: Query, signal: AbortSignal): Promise<DnsAnswer> {
    const { clock } = this.#deps;
    const ending = new AbortController();
    const onAbort = (): void => ending.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    let timer: Timer | undefined;
    return new Promise<DnsAnswer>((resolve, reject) => {
      let [begun, failed] = [0, 0];
      const attempt = async (server: Address): Promise<void> => {
        try {
          resolve(await this.#askOne(server, query, ending.signal));
          this.#latest = formatAddress(server);
        } catch (error) {
          failed++;
          if (failed < servers.length && !ending.signal.aborted) begin();
          else reject(asRegistryError(error));
        }
      };
      const begin = (): void => {
        timer?.cancel();
        const server = servers[begun];
        if (server === undefined) return;
        begun++;
        timer = clock.after(repeatMs, begin);
        void attempt(server);
      };
      if (servers.length === 0)
        reject(new RegistryError('registry_unreachable', 'the system has no DNS server'));
      begin();
    }).finally(() => {
      timer?.cancel();
      signal.removeEventListener('abort', onAbort);
      ending.abort();
    });
  }

  async #askOne(server: Address, query: Query, signal: AbortSignal): Promise<DnsAnswer> {
    if (this.#options.tcp) return understood(await askOverTcp(server, query, signal), query);
    const answer = await askOverUdp(server, query, this.#deps.clock, signal);
    const isCut = answer.flag_tc;
    return understood(isCut ? await askOverTcp(server, query, signal) : answer, query);
  }
}

function systemServers(): readonly Address[] {
  return new SystemResolver().getServers().map((text) => {
    const address = parseAddress(text, '');
    return address === undefined || address.host === '' ? { host: text, port: 53 } : address;
  });
}
