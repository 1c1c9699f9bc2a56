// Reading answers of the API server, which are untrusted: fields that are missing or of another type read as undefined.

export type Fields = Readonly<Record<string, unknown>>;

const nothing: Fields = {};

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : nothing;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Undefined also for an empty text, which is how the API says that there is none. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
