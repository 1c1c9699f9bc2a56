// What a new registry backend must implement: how records are written, kept, read and followed. Nothing else.
import type { Clock } from '../core/clock.ts';
import type { Instance } from '../core/instance.ts';
import type { Logger } from '../core/logger.ts';
import type { Random } from '../core/random.ts';

/** What every driver is made with, besides its URL. */
export interface DriverDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For a look from outside: a registry that is not there is an error, and is not made. Only agents make one. */
  readonly mustExist?: boolean;
}

/** What the core must know of a backend to choose defaults. All times in milliseconds. */
export interface Capabilities {
  /** Lease time and heartbeat interval used unless the configuration gives others. */
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /**
   * How long after a release other agents may still call the instance; the lame-duck delay of a drain. Not the mean time
   * that the news takes but one that agents on a busy host keep too, with the requests that they had already begun.
   */
  readonly propagationMs: number;
  /** Host that an instance is registered with unless the configuration gives one. */
  readonly advertise: 'loopback' | 'first-address';
  /**
   * False where somebody else registers the instances (an orchestrator, a zone's owner): `acquire`, `renew` and `release`
   * then succeed and do nothing.
   */
  readonly registers: boolean;
}

/** The complete list of a service's instances as the backend has it now. */
export interface Reading {
  readonly instances: readonly Instance[];
  /** Opaque cursor: equal versions mean equal lists; `follow` continues from it. */
  readonly version: string;
  /** Foreign records that are no instances; ignored and counted. */
  readonly malformed: number;
  /**
   * Ids that are missing because they released themselves or because their process has certainly ended, where the backend
   * can tell; their loss is never held back.
   */
  readonly departed?: ReadonlySet<string>;
  /** The backend lost what it knew (emptied, restarted without its data): absence proves nothing for one lease time. */
  readonly reset?: boolean;
}

export interface FollowSink {
  /** The list changed; `reading` is the complete new one. */
  changed(reading: Reading): void;
  /** The backend was asked and the list is still the last one given. */
  confirmed(): void;
}

/**
 * One backend. The core calls these and owns every loop around them: heartbeats, jitter, back-off, re-registration,
 * de-duplication, holding and staleness. So a driver keeps no timers but those that `follow` polls with, and never retries
 * by itself. Every operation fails with a RegistryError (any other error is a bug), ends soon after its signal aborts, and
 * may be called again after any failure; connections are made at first use.
 */
export interface Driver {
  /** The registry's URL for people: without passwords. */
  readonly url: string;
  readonly capabilities: Capabilities;

  /** Writes the record, or replaces the one with its id, and starts a lease of `ttlMs`. Idempotent. */
  acquire(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<void>;
  /** Keeps the lease. `gone`: the backend has no such record (any more), and it must be acquired again. */
  renew(instance: Instance, ttlMs: number, signal: AbortSignal): Promise<'ok' | 'gone'>;
  /** Removes the record. Success also when there was none. */
  release(instance: Instance, signal: AbortSignal): Promise<void>;

  /** The current list. An empty list means that the backend answered so, never that it could not be asked. */
  read(service: string, signal: AbortSignal): Promise<Reading>;
  /**
   * Tells the sink of every change after `from` until the signal aborts, then resolves. Rejects as soon as changes may be
   * missed (connection lost, cursor too old): the core marks the snapshot stale, reads again and follows anew.
   */
  follow(service: string, from: Reading, sink: FollowSink, signal: AbortSignal): Promise<void>;
  /** Names of all services that have instances; best effort. */
  names(signal: AbortSignal): Promise<readonly string[]>;

  /** Ends every connection, watcher and timer. Released leases are the caller's work. Idempotent. */
  close(): Promise<void>;
}
