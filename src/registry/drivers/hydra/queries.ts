// The questions that are put to Redis; none of them looks through the keys of the database.
import { RegistryError } from '../../../core/errors.ts';
import type { Commands } from './commands.ts';
import { nodesKey, presenceKey } from './keys.ts';

/** One node record: Hydra's instance id, and its text. */
export type NodeField = readonly [hydraId: string, text: string];

/** An instance as the fleet's key names need it. */
export interface Place {
  readonly service: string;
  readonly hydraId: string;
}

/** Who is present. */
export interface Presence {
  /** Node records of the whole fleet. */
  readonly nodes: number;
  /** In the order of the places that were asked for. */
  readonly present: readonly boolean[];
}

/** A command asks for so many at most, so that the server answers others in between. */
const keysMax = 1000;
/** Records are longer. */
const recordsMax = 250;

export class Queries {
  readonly #commands: Commands;

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  /** One round trip. */
  async presence(places: readonly Place[], signal?: AbortSignal): Promise<Presence> {
    const [nodes, ...answers] = await this.#commands.use((port) => {
      const asked = inChunks(places, keysMax).map((chunk) =>
        port.command(
          'MGET',
          chunk.map(({ service, hydraId }) => presenceKey(service, hydraId)),
        ),
      );
      return Promise.all([port.command('HLEN', [nodesKey]), ...asked]);
    }, signal);
    if (typeof nodes !== 'number') throw nonsense('HLEN');
    const present = answers.flatMap(list).map((value) => value !== null);
    if (present.length !== places.length) throw nonsense('MGET');
    return { nodes, present };
  }

  /** The node records of these ids; undefined for those that have none. */
  async records(
    hydraIds: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly (string | undefined)[]> {
    if (hydraIds.length === 0) return [];
    const answers = await this.#commands.use(
      (port) =>
        Promise.all(
          inChunks(hydraIds, recordsMax).map((chunk) =>
            port.command('HMGET', [nodesKey, ...chunk]),
          ),
        ),
      signal,
    );
    const texts = answers.flatMap(list);
    if (texts.length !== hydraIds.length) throw nonsense('HMGET');
    return texts.map((text) => (typeof text === 'string' ? text : undefined));
  }

  /** Some of all node records, and where to go on; '0' at the end. A record may come twice. */
  async nodesPage(
    cursor: string,
  ): Promise<{ readonly cursor: string; readonly fields: readonly NodeField[] }> {
    const answer = await this.#commands.use((port) =>
      port.command('HSCAN', [nodesKey, cursor, 'COUNT', String(recordsMax)]),
    );
    const [next, entries] = list(answer);
    if (typeof next !== 'string') throw nonsense('HSCAN');
    const flat = list(entries);
    const fields: NodeField[] = [];
    for (let index = 0; index + 1 < flat.length; index += 2) {
      fields.push([String(flat[index]), String(flat[index + 1])]);
    }
    return { cursor: next, fields };
  }
}

function inChunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const chunks: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += size) {
    chunks.push(items.slice(start, start + size));
  }
  return chunks;
}

function list(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? (answer as readonly unknown[]) : [];
}

function nonsense(command: string): RegistryError {
  return new RegistryError('registry_invalid', `redis: ${command} answered nonsense`);
}
