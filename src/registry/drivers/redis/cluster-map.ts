// What the servers of a cluster say about who has which hash slots.
import { isIP } from 'node:net';
import { formatAddress, type Address } from '../../../core/address.ts';
import { RegistryError } from '../../../core/errors.ts';
import { slotCount } from './hash-slot.ts';

/** The slots from `first` to `last`, and the server that takes writes for them. */
interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly primary: Address;
}

/** Which server has which slots. Immutable. */
export class SlotMap {
  readonly #ranges: readonly SlotRange[];
  readonly #moved: ReadonlyMap<number, Address>;

  constructor(ranges: readonly SlotRange[], moved: ReadonlyMap<number, Address> = new Map()) {
    this.#ranges = ranges;
    this.#moved = moved;
  }

  /** Undefined for a slot that no server has. */
  ownerOf(slot: number): Address | undefined {
    const moved = this.#moved.get(slot);
    if (moved !== undefined) return moved;
    return this.#ranges.find(({ first, last }) => first <= slot && slot <= last)?.primary;
  }

  /** Every server that has slots, once. */
  owners(): readonly Address[] {
    const addresses = [...this.#ranges.map(({ primary }) => primary), ...this.#moved.values()];
    return [...new Map(addresses.map((address) => [formatAddress(address), address])).values()];
  }

  withMoved(slot: number, address: Address): SlotMap {
    return new SlotMap(this.#ranges, new Map(this.#moved).set(slot, address));
  }
}

/**
 * - `moved`: the slot belongs to that server from now on.
 * - `ask`: the slot is on its way there; only this command is for that server.
 */
export interface Redirect {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  readonly address: Address;
}

/** Reads the answer of CLUSTER SLOTS by the server at `from`; throws a RegistryError when it is none. */
export function parseSlotMap(reply: unknown, from: Address): SlotMap {
  if (!Array.isArray(reply) || reply.length === 0 || reply.length > slotCount) throw nonsense();
  const ranges = reply.map((range: unknown): SlotRange => {
    const [first, last, primary] = Array.isArray(range) ? (range as readonly unknown[]) : [];
    const [host, port] = Array.isArray(primary) ? (primary as readonly unknown[]) : [];
    if (!isSlot(first) || !isSlot(last) || !isPort(port)) throw nonsense();
    return { first, last, primary: { host: hostOf(host, from), port } };
  });
  return new SlotMap(ranges);
}

/** The redirection in an error of the server at `from`, if it is one. */
export function redirectOf(error: unknown, from: Address): Redirect | undefined {
  if (!(error instanceof RegistryError)) return undefined;
  const match = /\b(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})$/.exec(error.message);
  if (match === null) return undefined;
  const [slot, port] = [Number(match[2]), Number(match[4])];
  if (!isSlot(slot) || !isPort(port)) return undefined;
  const address = { host: hostOf(match[3], from), port };
  return { kind: match[1] === 'ASK' ? 'ask' : 'moved', slot, address };
}

/** A server that does not know its name, or another's, means the one that it was asked at. */
function hostOf(host: unknown, from: Address): string {
  return typeof host === 'string' && isHost(host) ? host : from.host;
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[a-z0-9](?:[a-z0-9._-]{0,252})$/i.test(text);
}

function isSlot(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < slotCount;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
}

function nonsense(): RegistryError {
  return new RegistryError('registry_invalid', 'redis: CLUSTER SLOTS answered nonsense');
}
