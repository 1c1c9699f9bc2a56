// The keys of a service's policy as people write them: the policy's own names without their units.
import { balancerNames } from '../balancing/balancers.ts';
import * as v from 'valibot';
import { defaultPolicy, type UpstreamPolicy } from '../upstream/policy.ts';
import { formatSizeBytes } from './sizes.ts';
import { strict } from './strict.ts';
import {
  choice,
  duration,
  fraction,
  integer,
  list,
  size,
  writeDuration,
  type Schema,
} from './values.ts';

interface PolicyKey<T> {
  readonly key: string;
  readonly schema: Schema<T>;
  /** The value as it is written in a file. */
  readonly format: (value: T) => unknown;
  readonly help: string;
}

const asIs = (value: unknown): unknown => value;
const count = (key: string, min: number, max: number, help: string): PolicyKey<number> => ({
  key,
  schema: integer('count', min, max),
  format: asIs,
  help,
});
const time = (key: string, minMs: number, help: string): PolicyKey<number> => ({
  key,
  schema: duration(minMs),
  format: writeDuration,
  help,
});

/** Every field of the policy with its key; the order is that of the documentation. */
const policyKeys: {
  readonly [F in keyof UpstreamPolicy]: PolicyKey<UpstreamPolicy[F]>;
} = {
  balance: {
    key: 'balance',
    schema: choice(balancerNames),
    format: asIs,
    help: `How an instance is chosen: ${balancerNames.join(', ')}.`,
  },
  connectTimeoutMs: time('connectTimeout', 1, 'Limit for a connection to an instance.'),
  responseTimeoutMs: time(
    'responseTimeout',
    0,
    "From the request's last byte to the reply's head; `0` is none.",
  ),
  timeoutMs: time(
    'timeout',
    0,
    "From the request's head to the reply's head over all attempts; `0` is none.",
  ),
  retries: count('retries', 0, 10, 'Attempts after the first; `0` switches retries off.'),
  retryStatuses: {
    key: 'retryStatuses',
    schema: list(integer('status to retry', 400, 599)),
    format: asIs,
    help: 'Statuses that mean "try another instance" when the request may be repeated.',
  },
  retryRatio: {
    key: 'retryRatio',
    schema: fraction('ratio', 10),
    format: asIs,
    help: 'Retries allowed as a share of the requests of the last 10 s.',
  },
  retriesPerSecondMin: count(
    'retriesPerSecondMin',
    0,
    100_000,
    'Retries a second that are allowed whatever the share.',
  ),
  replayBytesMax: {
    key: 'replayMax',
    schema: size(16_777_216, '16MiB'),
    format: formatSizeBytes,
    help: 'A body up to this size is kept for a retry; a longer one is sent once.',
  },
  idleTimeoutMs: time('idleTimeout', 1, 'An unused connection is closed after this time.'),
  waitTimeoutMs: time(
    'waitTimeout',
    0,
    'How long a call to a service without instances waits for the first one.',
  ),
  inFlightMax: count('inFlightMax', 1, 1_000_000, 'Requests to the service at one time.'),
  ejectAfterFailures: count(
    'ejectAfterFailures',
    1,
    1_000_000,
    'Consecutive 5xx replies or timeouts that eject an instance.',
  ),
  ejectionMinMs: time('ejectionMin', 1, 'The first ejection of an instance.'),
  ejectionMaxMs: time('ejectionMax', 1, 'The longest ejection of an instance.'),
};

const fields = Object.keys(policyKeys) as (keyof UpstreamPolicy)[];

/** A policy as it was written: only some keys, already in the program's units. */
export type WrittenPolicy = Readonly<Record<string, unknown>>;

export const policyEntries: v.ObjectEntries = Object.fromEntries(
  fields.map((field) => [policyKeys[field].key, v.optional(policyKeys[field].schema)]),
);

export const policySchema: Schema<WrittenPolicy> = strict(policyEntries);

/** The policy that results when what was written is laid over another policy. */
export function overlayPolicy(base: UpstreamPolicy, written: WrittenPolicy): UpstreamPolicy {
  const changed = fields.flatMap((field) => {
    const value = written[policyKeys[field].key];
    return value === undefined ? [] : [[field, value] as const];
  });
  return { ...base, ...Object.fromEntries(changed) };
}

/** The keys and values in which the policy differs from another, as they are written in a file. */
export function writePolicy(
  policy: UpstreamPolicy,
  base?: UpstreamPolicy,
): readonly (readonly [key: string, value: unknown])[] {
  return fields
    .filter((field) => base === undefined || !same(policy[field], base[field]))
    .map((field) => [policyKeys[field].key, writtenField(policy, field)]);
}

function writtenField(policy: UpstreamPolicy, field: keyof UpstreamPolicy): unknown {
  const { format }: { format: (value: never) => unknown } = policyKeys[field];
  return format(policy[field] as never);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Every key with its default and meaning, for the documentation. */
export function documentedPolicyKeys(): readonly { key: string; default: string; help: string }[] {
  return fields.map((field) => {
    const written = writtenField(defaultPolicy, field);
    return {
      key: policyKeys[field].key,
      default: typeof written === 'string' ? written : JSON.stringify(written),
      help: policyKeys[field].help,
    };
  });
}
