// The kinds of values: schemas that read flags, variables and file values alike and refuse with one plain sentence.
import * as v from 'valibot';
import { parseAddress, type Address } from '../core/address.ts';
import { durationMsMax, formatDurationMs, parseDurationMs } from '../core/durations.ts';
import { isPort } from '../core/instance.ts';
import { nearest, parseServiceName } from '../core/service-name.ts';
import { redactText } from './redact.ts';
import { parseSizeBytes } from './sizes.ts';

export type Schema<T> = v.GenericSchema<unknown, T>;

/** What a value is read as, or the sentence that says why it cannot be. */
type Reading<T> = { readonly value: T } | { readonly refusal: string };

/** A schema from a reading function. The refusal begins with a verb: what was given is put before it. */
export function value<T>(read: (given: unknown) => Reading<T>): Schema<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const reading = read(dataset.value);
      if ('value' in reading) return reading.value;
      addIssue({ message: `${shown(dataset.value)} ${reading.refusal}` });
      return NEVER;
    }),
  );
}

/** What was given, for an error message: short, on one line, without secrets. */
export function shown(given: unknown): string {
  if (given === undefined || given === null || given === '') return 'an empty value';
  if (Array.isArray(given)) return 'a list';
  if (typeof given === 'object') return 'a mapping';
  const text = JSON.stringify(typeof given === 'string' ? redactText(given) : given);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** ` ; did you mean "x"?` or nothing. */
export function suggestion(text: string, candidates: Iterable<string>): string {
  const near = nearest(text, candidates);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}

/** A text that matches the pattern; `what` completes "is no …". */
export function text(what: string, allowed: string, pattern: RegExp): Schema<string> {
  return value((given) => {
    if (typeof given === 'number' || typeof given === 'boolean') {
      return { refusal: `is no text; put it in quotes` };
    }
    if (typeof given === 'string' && pattern.test(given)) return { value: given };
    return { refusal: `is no ${what}; allowed is ${allowed}` };
  });
}

export function integer(what: string, min: number, max: number): Schema<number> {
  return value((given) => {
    const number = numberOf(given);
    if (number !== undefined && Number.isInteger(number) && number >= min && number <= max) {
      return { value: number };
    }
    return { refusal: `is no ${what}; allowed is a whole number from ${min} to ${max}` };
  });
}

export function fraction(what: string, max: number): Schema<number> {
  return value((given) => {
    const number = numberOf(given);
    if (number !== undefined && number >= 0 && number <= max) return { value: number };
    return { refusal: `is no ${what}; allowed is a number from 0 to ${max}` };
  });
}

function numberOf(given: unknown): number | undefined {
  if (typeof given === 'number') return given;
  return typeof given === 'string' && /^\d{1,9}(?:\.\d{1,9})?$/.test(given)
    ? Number(given)
    : undefined;
}

export function portOf(given: unknown): number | undefined {
  const number = numberOf(given);
  return isPort(number) ? number : undefined;
}

export const port: Schema<number> = integer('port', 1, 65_535);

/** Milliseconds. */
export function duration(minMs: number): Schema<number> {
  return value((given) => {
    if (given === 0) return given < minMs ? tooShort(minMs) : { value: 0 };
    if (typeof given === 'number' || (typeof given === 'string' && /^\d+$/.test(given))) {
      if (given !== '0') return { refusal: `has no unit; write ${given}s or ${given}ms` };
    }
    const durationMs = typeof given === 'string' ? parseDurationMs(given) : undefined;
    if (durationMs === undefined) {
      return { refusal: 'is no duration; write it as 250ms, 2s, 5m or 1h' };
    }
    if (durationMs > durationMsMax) return { refusal: 'is too long; at most 24h is allowed' };
    const wholeMs = Math.round(durationMs);
    return wholeMs < minMs ? tooShort(minMs) : { value: wholeMs };
  });
}

/** As a file has it: also nothing has its unit, for a bare 0 would be a number. */
export function writeDuration(durationMs: number): string {
  return durationMs === 0 ? '0s' : formatDurationMs(durationMs);
}

function tooShort(minMs: number): { readonly refusal: string } {
  return { refusal: `is too short; at least ${formatDurationMs(minMs)} is allowed` };
}

/** Bytes. */
export function size(maxBytes: number, maxText: string): Schema<number> {
  return value((given) => {
    if (typeof given === 'number' || (typeof given === 'string' && /^\d+$/.test(given))) {
      if (Number(given) !== 0) return { refusal: `has no unit; write ${given}KiB or ${given}B` };
    }
    const sizeBytes = given === 0 ? 0 : parseSizeBytes(typeof given === 'string' ? given : '');
    if (sizeBytes === undefined) return { refusal: 'is no size; write it as 512B, 64KiB or 1MiB' };
    return sizeBytes > maxBytes
      ? { refusal: `is too large; at most ${maxText} is allowed` }
      : { value: sizeBytes };
  });
}

export function choice<const T extends string>(choices: readonly T[]): Schema<T> {
  return value((given) => {
    const chosen = choices.find((one) => one === given);
    if (chosen !== undefined) return { value: chosen };
    const near = typeof given === 'string' ? suggestion(given, choices) : '';
    return { refusal: `is none of ${choices.join(', ')}${near}` };
  });
}

const switchWords: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
};

/** What stands for true and false in flags, variables and files, or undefined for anything else. */
export function switchOf(given: unknown): boolean | undefined {
  if (typeof given === 'boolean') return given;
  return typeof given === 'string' && Object.hasOwn(switchWords, given)
    ? switchWords[given]
    : undefined;
}

export const onOff: Schema<boolean> = value((given) => {
  const on = switchOf(given);
  return on === undefined ? { refusal: 'is neither true nor false' } : { value: on };
});

/** In lower case. */
export const serviceName: Schema<string> = value((given) => {
  if (typeof given !== 'string') return { refusal: 'is no service name' };
  const name = parseServiceName(given);
  return name === undefined ? { refusal: refusedName(given) } : { value: name };
});

export function refusedName(given: string): string {
  const near = given
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
    .slice(0, 63);
  const hint = near === '' ? '' : `; did you mean "${near}"?`;
  return `is no service name; allowed are letters, digits, ".", "_" and "-", at most 63${hint}`;
}

/** An address to listen on; a port alone is on the loopback. */
export const listenAddress: Schema<Address> = value((given) => {
  const address = parseAddress(scalarText(given), '127.0.0.1');
  return address === undefined
    ? { refusal: 'is no address; write HOST:PORT or PORT, with a port from 0 to 65535' }
    : { value: address };
});

/** The text of a text or a number; of anything else a text that nothing accepts. */
export function scalarText(given: unknown): string {
  return typeof given === 'string' || typeof given === 'number' ? String(given) : '';
}

/** A list; one value alone is a list of one. */
export function list<T>(item: Schema<T>, max = 64): Schema<readonly T[]> {
  return v.pipe(
    v.unknown(),
    v.transform((given): unknown[] => (Array.isArray(given) ? given : [given])),
    v.array(item),
    v.maxLength(max, `has more than ${max} entries`),
  );
}
