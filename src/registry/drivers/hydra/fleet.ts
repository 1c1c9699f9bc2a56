// Which instances belong to which service: an index of all node records of the fleet, shared by all that is followed.
import type { Clock } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import { recordLimits } from '../../../core/instance.ts';
import { serviceNameIn } from './node-record.ts';
import type { Queries } from './queries.ts';

/** Ids only, of living and dead instances alike. */
export interface Members {
  /** When its reading began, on the clock. */
  readonly asOfMs: number;
  /** Of all node records. */
  readonly count: number;
  readonly services: ReadonlyMap<string, readonly string[]>;
  /** Ids whose record names no service; whose they are, only their presence can tell. */
  readonly unnamed: readonly string[];
}

/** Hydra never removes node records, so this many are the leftovers of years. */
const nodesMax = 200_000;
const unnamedMax = 1000;
/** An index is read anew after this time even if the number of records is the same. */
const ageMaxMs = 10_000;
/** Pause between readings while the number of records changes: grows with the fleet, so that its cost does not. */
const pauseMs = { least: 100, perNode: 1 };

export class Fleet {
  readonly #queries: Queries;
  readonly #clock: Clock;
  #members: Members | undefined;
  #running: Promise<Members> | undefined;
  #next: Promise<Members> | undefined;

  constructor({ queries, clock }: { readonly queries: Queries; readonly clock: Clock }) {
    this.#queries = queries;
    this.#clock = clock;
  }

  /** An index that fits the number of node records that Redis has now, if it is not read too often. */
  async current(count: number): Promise<Members> {
    const members = this.#members;
    if (members === undefined) return this.read();
    const ageMs = this.#clock.nowMs() - members.asOfMs;
    const pause = pauseMs.least + members.count * pauseMs.perNode;
    const due = ageMs >= ageMaxMs || (count !== members.count && ageMs >= pause);
    return due ? this.read() : members;
  }

  /** An index whose reading began after this call; all who ask meanwhile share the next one. */
  read(): Promise<Members> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<Members> {
    this.#next = undefined;
    const running = this.#index().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #index(): Promise<Members> {
    const asOfMs = this.#clock.nowMs();
    const ids = new Set<string>();
    const services = new Map<string, string[]>();
    const unnamed: string[] = [];
    let cursor = '0';
    do {
      const page = await this.#queries.nodesPage(cursor);
      for (const [hydraId, text] of page.fields) {
        if (ids.has(hydraId)) continue;
        ids.add(hydraId);
        if (hydraId.length > recordLimits.idLength) continue;
        const service = serviceNameIn(text);
        if (service !== undefined) {
          const named = services.get(service);
          if (named === undefined) services.set(service, [hydraId]);
          else named.push(hydraId);
        } else if (unnamed.length < unnamedMax) {
          unnamed.push(hydraId);
        }
      }
      if (ids.size > nodesMax) throw tooMany();
      cursor = page.cursor;
    } while (cursor !== '0');
    this.#members = { asOfMs, count: ids.size, services, unnamed };
    return this.#members;
  }
}

function tooMany(): RegistryError {
  return new RegistryError(
    'registry_invalid',
    `hydra: more than ${nodesMax} node records; remove the dead ones, as "hydra-cli refresh" does`,
  );
}
