// What grew between two heap snapshots of V8: objects by their class, and the bytes that they take themselves.

/** What `v8.writeHeapSnapshot` writes, as far as it is read here: `nodes` has the fields of one object after another. */
export interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      /** By field; that of `type` is a list of names. */
      readonly node_types: readonly (string | readonly string[])[];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

export interface ClassGrowth {
  /** Of the constructor; `closure NAME` of a function, and in brackets what has no class, such as (string). */
  readonly name: string;
  /** In the second snapshot, and how many more than in the first. */
  readonly objects: number;
  readonly moreObjects: number;
  /** Without what the objects refer to. */
  readonly bytes: number;
  readonly moreBytes: number;
}

interface Sum {
  objects: number;
  bytes: number;
}

const none: Readonly<Sum> = { objects: 0, bytes: 0 };

/** The classes that take more bytes than before, those that grew most first. */
export function grownClasses(before: HeapSnapshot, after: HeapSnapshot): ClassGrowth[] {
  const earlier = sumsByClass(before);
  return [...sumsByClass(after)]
    .map(([name, { objects, bytes }]) => {
      const then = earlier.get(name) ?? none;
      const moreObjects = objects - then.objects;
      return { name, objects, moreObjects, bytes, moreBytes: bytes - then.bytes };
    })
    .filter(({ moreBytes }) => moreBytes > 0)
    .sort((a, b) => b.moreBytes - a.moreBytes);
}

function sumsByClass({ snapshot, nodes, strings }: HeapSnapshot): Map<string, Sum> {
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const typeAt = fields.indexOf('type');
  const nameAt = fields.indexOf('name');
  const sizeAt = fields.indexOf('self_size');
  const typeNames = types[typeAt] ?? [];
  const sums = new Map<string, Sum>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const type = typeNames[nodes[at + typeAt] ?? NaN] ?? '';
    const name = className(type, strings[nodes[at + nameAt] ?? NaN] ?? '');
    let sum = sums.get(name);
    if (sum === undefined) sums.set(name, (sum = { ...none }));
    sum.objects++;
    sum.bytes += nodes[at + sizeAt] ?? 0;
  }
  return sums;
}

/** As the developer tools of a browser name them, but with functions apart: which one is kept says where to look. */
function className(type: string, name: string): string {
  if (type === 'object' || type === 'native') return name;
  return type === 'closure' && name !== '' ? `closure ${name}` : `(${type})`;
}
