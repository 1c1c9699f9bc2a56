// How a fleet writes its instances into ZooKeeper: names and contents of nodes.
import type { Instance } from '../../../../core/instance.ts';

export interface Format {
  /** Folders are removed by the server some time after their last node has gone. */
  readonly containers: boolean;
  /** The server numbers the nodes: names end with ten digits that it gives. */
  readonly sequential: boolean;
  /** The node's name, or what the digits are appended to. */
  nodeName(id: string): string;
  /** Whether a node in the folder of a service is one of its instances at all. */
  isInstance(node: string): boolean;
  /** What ordinary users of the format expect, to be written as JSON. `leaving`: the instance is about to deregister. */
  encode(instance: Instance, leaving: boolean): Readonly<Record<string, unknown>>;
  /** Reads what somebody else wrote, leniently; undefined when it is no instance. */
  decode(service: string, node: string, record: Fields): Decoded | undefined;
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Decoded {
  readonly instance: Instance;
  /** False when the record itself says that the instance takes no calls (any more). */
  readonly serving: boolean;
}

/** The fields of a JSON object; none for any other value. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
