// What the agent's control process and its workers say to each other: every message, and how one is read.
import type {
  Explanation,
  ExplainedCall,
  RequestCount,
  UsedServiceStatus,
} from '../../admin/view.ts';
import type { ProcessUse } from '../../admin/metrics.ts';
import type { Config } from '../../config/config.ts';
import type { Address } from '../../core/address.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import type { UpstreamPolicy } from '../../upstream/policy.ts';

/** Everything that a worker must be told once. Messages are JSON, so policies are pairs: any service name is a good key. */
export interface StartOrder {
  readonly kind: 'start';
  readonly proxy: Pick<
    Config,
    'listen' | 'upstreamListeners' | 'ownHosts' | 'suffixes' | 'passthrough' | 'fastLane'
  >;
  readonly policies: readonly (readonly [service: string, policy: UpstreamPolicy])[];
  readonly defaultPolicy: UpstreamPolicy;
  /** The admin API's, which no request may reach. */
  readonly reservedPort: number;
  readonly log: Config['log'];
}

/** A Snapshot with its age in place of a moment, for each process has a monotonic clock of its own. */
export interface SentSnapshot extends Omit<Snapshot, 'confirmedAtMs'> {
  readonly ageMs: number;
}

export type ToWorker =
  | StartOrder
  /** Complete ones, of services that the worker watches. */
  | { readonly kind: 'snapshots'; readonly snapshots: readonly SentSnapshot[] }
  /** Snapshots that the registry has confirmed without a change, and why it cannot be asked; null when it can. */
  | {
      readonly kind: 'confirmed';
      readonly ages: readonly (readonly [service: string, ageMs: number])[];
      readonly trouble: string | null;
    }
  /** The answer to the worker's question; null when the registry cannot be asked. */
  | { readonly kind: 'names'; readonly id: number; readonly names: readonly string[] | null }
  | { readonly kind: 'report'; readonly id: number }
  | {
      readonly kind: 'explain';
      readonly id: number;
      readonly service: string;
      readonly call: ExplainedCall;
    }
  /** Take no new connection, and let the old ones end within this time. */
  | { readonly kind: 'drain'; readonly timeoutMs: number }
  /** End now. */
  | { readonly kind: 'close' };

/** What a worker has counted and holds; all numbers are those of this worker alone. */
export interface WorkerReport {
  readonly services: readonly UsedServiceStatus[];
  /** As in AgentView. */
  readonly unknownRequests: readonly RequestCount[];
  readonly connections: number;
  readonly use: ProcessUse;
}

export type FromWorker =
  /** It runs and can be told to start. */
  | { readonly kind: 'awake' }
  /** It serves; the address is the proxy's. */
  | { readonly kind: 'serving'; readonly address: Address }
  /** It cannot serve, and ends. */
  | { readonly kind: 'failed'; readonly isConfig: boolean; readonly message: string }
  | { readonly kind: 'watch'; readonly service: string }
  | { readonly kind: 'unwatch'; readonly service: string }
  | { readonly kind: 'names'; readonly id: number }
  | { readonly kind: 'unreachable'; readonly service: string; readonly instance: string }
  | { readonly kind: 'report'; readonly id: number; readonly report: WorkerReport }
  /** Null when it cannot say. */
  | {
      readonly kind: 'explained';
      readonly id: number;
      readonly explanation: Explanation | null;
    }
  /** Its last connection has ended, or the time for that. */
  | { readonly kind: 'drained'; readonly report: WorkerReport };

type FieldType =
  | 'string'
  | 'number'
  | 'boolean'
  | 'object'
  | 'list'
  | 'list or null'
  | 'string or null'
  | 'or null';
type Shapes<M extends { readonly kind: string }> = {
  readonly [K in M['kind']]: Readonly<Record<string, FieldType>>;
};

const toWorkerShapes: Shapes<ToWorker> = {
  start: { proxy: 'object', policies: 'list', defaultPolicy: 'object', log: 'object' },
  snapshots: { snapshots: 'list' },
  confirmed: { ages: 'list', trouble: 'string or null' },
  names: { id: 'number', names: 'list or null' },
  report: { id: 'number' },
  explain: { id: 'number', service: 'string', call: 'object' },
  drain: { timeoutMs: 'number' },
  close: {},
};

const fromWorkerShapes: Shapes<FromWorker> = {
  awake: {},
  serving: { address: 'object' },
  failed: { isConfig: 'boolean', message: 'string' },
  watch: { service: 'string' },
  unwatch: { service: 'string' },
  names: { id: 'number' },
  unreachable: { service: 'string', instance: 'string' },
  report: { id: 'number', report: 'object' },
  explained: { id: 'number', explanation: 'or null' },
  drained: { report: 'object' },
};

/** The message, or undefined for what is none of this program's. */
export function parseToWorker(value: unknown): ToWorker | undefined {
  return hasShape(value, toWorkerShapes) ? value : undefined;
}

/** As `parseToWorker`. */
export function parseFromWorker(value: unknown): FromWorker | undefined {
  return hasShape(value, fromWorkerShapes) ? value : undefined;
}

/** Both ends are the same program of the same version: what has the right fields has the right content. */
function hasShape<M extends { readonly kind: string }>(
  value: unknown,
  shapes: Shapes<M>,
): value is M {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const { kind, ...fields } = value as Record<string, unknown>;
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) return false;
  const shape = shapes[kind as M['kind']];
  return Object.entries(shape).every(([name, type]) => isOfType(fields[name], type));
}

function isOfType(field: unknown, type: FieldType): boolean {
  switch (type) {
    case 'list':
      return Array.isArray(field);
    case 'list or null':
      return field === null || Array.isArray(field);
    case 'string or null':
      return field === null || typeof field === 'string';
    case 'object':
      return typeof field === 'object' && field !== null && !Array.isArray(field);
    case 'or null':
      return field === null || isOfType(field, 'object');
    default:
      return typeof field === type;
  }
}
