// A Redis Cluster: each slot has its server. Any server tells which, and one that is asked for a slot of another says so.
import { formatAddress, type Address } from '../../../core/address.ts';
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';
import { parseSlotMap, redirectOf, type SlotMap } from './cluster-map.ts';
import { untilAborted } from './connection.ts';
import { firstAnswer } from './first-answer.ts';
import { slotOf } from './hash-slot.ts';
import { toRegistryError } from './redis-errors.ts';
import type { OpenPort, RedisPort } from './redis-port.ts';
import type { Subscriptions, SubscriptionsOptions } from './subscriptions.ts';
import { ServerLink, type Topology } from './topology.ts';

export interface ClusterDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** How connections to the server at that address are made. */
  readonly openAt: (address: Address) => OpenPort;
}

export interface ClusterOptions extends SubscriptionsOptions {
  /** Some of the cluster's servers, asked for the map as long as no others are known. */
  readonly seeds: readonly Address[];
}

type State =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'learning'; readonly learned: Promise<SlotMap> }
  | { readonly kind: 'known'; readonly map: SlotMap }
  /** Something did not fit the map: it is learned again at the next use, from `doubted` last of all. */
  | { readonly kind: 'doubted'; readonly map: SlotMap; readonly doubted: Address }
  | { readonly kind: 'closed' };

/** Then the next server is asked for the map as well. */
const patienceMs = 300;
/** While a server is away, every use of it casts doubt: a map that is known is not learned more often than that. */
const learnEveryMs = 250;
/** A slot that has moved redirects once, one that is just moving once more. */
const redirectsMax = 3;

export class Cluster implements Topology {
  readonly #deps: ClusterDeps;
  readonly #options: ClusterOptions;
  /** By address. */
  readonly #links = new Map<string, ServerLink>();
  #state: State = { kind: 'unknown' };
  #learnAtMs = -Infinity;

  constructor(deps: ClusterDeps, options: ClusterOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async use<T>(
    tag: string,
    exchange: (port: RedisPort) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const slot = slotOf(tag);
    let address = await this.#ownerOf(slot, signal);
    let exchangeThere = exchange;
    for (let redirects = 0; ; redirects++) {
      try {
        return await this.#linkTo(address).use(tag, exchangeThere, signal);
      } catch (error) {
        const redirect = redirects < redirectsMax ? redirectOf(error, address) : undefined;
        if (redirect === undefined) {
          if (castsDoubt(toRegistryError(error))) this.#doubt(address);
          throw error;
        }
        if (redirect.kind === 'moved') this.#moved(slot, address, redirect.address);
        const asks = redirect.kind === 'ask';
        exchangeThere = asks ? (port) => exchange(new AskingPort(port)) : exchange;
        address = redirect.address;
      }
    }
  }

  async subscriptions(tag: string, signal: AbortSignal): Promise<Subscriptions> {
    return this.#linkTo(await this.#ownerOf(slotOf(tag), signal)).subscriptions();
  }

  async close(): Promise<void> {
    this.#state = { kind: 'closed' };
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map((link) => link.close()));
  }

  async #ownerOf(slot: number, signal: AbortSignal | undefined): Promise<Address> {
    const map = await untilAborted(this.#map(), signal);
    const owner = map.ownerOf(slot);
    if (owner !== undefined) return owner;
    const [anyOwner] = map.owners();
    if (anyOwner !== undefined) this.#doubt(anyOwner);
    throw new RegistryError('registry_unavailable', `redis: no server has slot ${slot}`);
  }

  #map(): Promise<SlotMap> {
    const state = this.#state;
    switch (state.kind) {
      case 'known':
        return Promise.resolve(state.map);
      case 'learning':
        return state.learned;
      case 'doubted':
        return this.#deps.clock.nowMs() < this.#learnAtMs
          ? Promise.resolve(state.map)
          : this.#learn(state);
      case 'unknown':
        return this.#learn(state);
      case 'closed':
        return Promise.reject(closedError());
    }
  }

  #learn(before: Extract<State, { kind: 'unknown' | 'doubted' }>): Promise<SlotMap> {
    const { clock } = this.#deps;
    this.#learnAtMs = clock.nowMs() + learnEveryMs;
    const candidates = this.#candidates(before);
    const asked = firstAnswer(clock, candidates, (address) => this.#ask(address), patienceMs);
    const learned = asked.then(
      (map) => {
        if (this.#state.kind === 'closed') throw closedError();
        this.#state = { kind: 'known', map };
        this.#dropLinksBut(map.owners());
        return map;
      },
      (error: unknown) => {
        if (this.#state.kind !== 'closed') this.#state = before;
        throw error;
      },
    );
    this.#state = { kind: 'learning', learned };
    return learned;
  }

  /** Each agent begins with another one of the servers that it knows, so that not all ask the same. */
  #candidates(before: Extract<State, { kind: 'unknown' | 'doubted' }>): readonly Address[] {
    const { seeds } = this.#options;
    if (before.kind === 'unknown') return seeds;
    const doubted = formatAddress(before.doubted);
    const owners = before.map.owners().filter((address) => formatAddress(address) !== doubted);
    const start = Math.floor(this.#deps.random() * owners.length);
    const ordered = [...owners.slice(start), ...owners.slice(0, start), ...seeds, before.doubted];
    return [...new Map(ordered.map((address) => [formatAddress(address), address])).values()];
  }

  async #ask(address: Address): Promise<SlotMap> {
    const [state, slots] = await this.#linkTo(address).use('', (port) =>
      Promise.all([port.command('CLUSTER', ['INFO']), port.command('CLUSTER', ['SLOTS'])]),
    );
    // One that is cut off from the others does not know who has taken over.
    if (!/^cluster_state:ok\r?$/m.test(String(state))) {
      const message = `redis: CLUSTERDOWN, says ${formatAddress(address)}`;
      throw new RegistryError('registry_unavailable', message);
    }
    return parseSlotMap(slots, address);
  }

  #doubt(doubted: Address): void {
    const state = this.#state;
    if (state.kind !== 'known' && state.kind !== 'doubted') return;
    this.#state = { kind: 'doubted', map: state.map, doubted };
  }

  /** Rarely the only one that did. */
  #moved(slot: number, from: Address, to: Address): void {
    const state = this.#state;
    if (state.kind !== 'known' && state.kind !== 'doubted') return;
    this.#state = { kind: 'doubted', map: state.map.withMoved(slot, to), doubted: from };
  }

  #linkTo(address: Address): ServerLink {
    const key = formatAddress(address);
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const { clock, random, openAt } = this.#deps;
    const link = new ServerLink({ clock, random, open: openAt(address) }, this.#options);
    // A closed cluster makes no connections: a link that nobody will close must be closed already.
    if (this.#state.kind === 'closed') void link.close();
    else this.#links.set(key, link);
    return link;
  }

  #dropLinksBut(addresses: readonly Address[]): void {
    const keep = new Set(addresses.map(formatAddress));
    for (const [key, link] of this.#links) {
      if (keep.has(key)) continue;
      this.#links.delete(key);
      void link.close();
    }
  }
}

/** Announces each command as one for a slot that is still on its way to the server. */
class AskingPort implements RedisPort {
  readonly #port: RedisPort;

  constructor(port: RedisPort) {
    this.#port = port;
  }

  async command(name: string, args: readonly string[]): Promise<unknown> {
    const [, answer] = await Promise.all([
      this.#port.command('ASKING', []),
      this.#port.command(name, args),
    ]);
    return answer;
  }

  subscribe(channel: string): Promise<void> {
    return this.#port.subscribe(channel);
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#port.unsubscribe(channel);
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}

/** Whether another server may have taken over the slot by now. */
function castsDoubt(error: RegistryError): boolean {
  if (error.code === 'registry_unreachable' || error.code === 'registry_timeout') return true;
  return /\b(?:CLUSTERDOWN|MOVED|READONLY)\b/.test(error.message);
}

function closedError(): RegistryError {
  return new RegistryError('registry_unreachable', 'redis: the driver is closed');
}
