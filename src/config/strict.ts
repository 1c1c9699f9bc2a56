// Mappings whose every key is known, and the one-line account of what is wrong in a value.
import * as v from 'valibot';
import { shown, suggestion, value, type Schema } from './values.ts';

const mapping: Schema<Record<string, unknown>> = value((given) =>
  typeof given === 'object' && given !== null && !Array.isArray(given)
    ? { value: given as Record<string, unknown> }
    : { refusal: 'is no mapping of keys to values' },
);

/** A mapping with these keys and no others. */
export function strict<const E extends v.ObjectEntries>(
  entries: E,
): v.GenericSchema<unknown, v.InferOutput<v.StrictObjectSchema<E, undefined>>> {
  const known = Object.keys(entries);
  return v.pipe(
    mapping,
    v.strictObject(entries, (issue) => {
      if (issue.expected !== 'never') return 'is missing';
      const hint = suggestion(String(issue.input), known);
      return `${unknownKey}${hint === '' ? `; allowed are ${known.join(', ')}` : hint}`;
    }),
  );
}

const unknownKey = 'unknown key';

/** Names of every object's own machinery; as keys of a mapping they would be lost without a word. */
const reserved = ['__proto__', 'constructor', 'prototype'];

/** A mapping from names to values of one kind. */
export function record<T>(key: Schema<string>, item: Schema<T>): Schema<Record<string, T>> {
  return v.pipe(
    mapping,
    v.check(
      (given) => !reserved.some((name) => Object.hasOwn(given, name)),
      `has a reserved key; not allowed are ${reserved.join(', ')}`,
    ),
    v.record(keyOf(key), item),
  );
}

function keyOf(schema: Schema<string>): v.GenericSchema<string, string> {
  return v.pipe(
    v.string(),
    v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
      const reading = read(schema, dataset.value);
      if ('value' in reading) return reading.value;
      addIssue({ message: reading.problem.message });
      return NEVER;
    }),
  );
}

export interface Problem {
  /** Keys and indexes from the root to the value. */
  readonly path: readonly (string | number)[];
  /** What is wrong, what was given and what is allowed. */
  readonly message: string;
}

/** The value, or its first problem; an unknown key comes first, for it often explains a missing one. */
export function read<T>(schema: Schema<T>, given: unknown): { value: T } | { problem: Problem } {
  const result = v.safeParse(schema, given);
  if (result.success) return { value: result.output };
  const [first] = result.issues;
  const issue = result.issues.find(({ message }) => message.startsWith(unknownKey)) ?? first;
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  return { problem: { path, message: issue.message } };
}

/** A path as people write it: `services[1].port`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      const plain = /^[\w-]+$/.test(key) ? key : shown(key);
      return index === 0 ? plain : `.${plain}`;
    })
    .join('');
}
