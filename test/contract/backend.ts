// What a registry backend gives the contract suite: isolated registries to test on, and the faults that it can suffer.
import type { Address } from '../../src/core/address.ts';

/** Faults that some backends cannot have; such a backend says why instead (`ContractBackend.without`). */
export type Fault =
  'restartEmpty' | 'restartWithData' | 'pause' | 'dropSilently' | 'wrongPassword' | 'foreignRecord';

export interface ContractBackend {
  /** Lease time and heartbeat of the suite's leases; short, so that the suite is quick. */
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** A killed process is gone after so long at most. Default: the TTL and a second. */
  readonly crashMs?: number;
  /** A release is seen by others after so long at most. Default: the heartbeat interval, which is sooner than any TTL. */
  readonly releaseMs?: number;
  /** The server's version as it says itself, such as `7.0.15`; ends with `(fake)` where it is none. */
  version?(): Promise<string>;
  /** Why the backend cannot be tested here (its server is not installed), or undefined. */
  available(): string | undefined;
  /** Faults that do not apply to the backend, each with the reason. */
  readonly without: Readonly<Partial<Record<Fault, string>>>;
  /**
   * An empty registry that nobody else sees. `own`: the case will stop, empty or pause the server, so it must share it with
   * no other case; otherwise a prefix or database of a shared server will do.
   */
  open(options: { readonly own: boolean }): Promise<ContractRegistry>;
  /** Ends what is shared between registries. Called once, after the last case. */
  close(): Promise<void>;
}

export interface ContractRegistry {
  /** Opens the registry through `src/registry/open.ts`. */
  readonly url: string;
  /** `restartEmpty`: the registry loses all records and works again when this resolves. */
  restartEmpty?(): Promise<void>;
  /** `restartWithData`: down for about `downMs`, then up again with the records that it had. */
  restartWithData?(downMs: number): Promise<void>;
  /** `pause`: the server is stopped (SIGSTOP) and answers nothing until `resume`. */
  pause?(): Promise<void>;
  resume?(): Promise<void>;
  /** `dropSilently`: where its server listens, and the URL that reaches it through another address (the fault proxy's). */
  readonly server?: { readonly address: Address; urlAt(address: Address): string };
  /** `wrongPassword`: a URL that the registry must refuse with `registry_auth`. */
  readonly wrongPasswordUrl?: string;
  /**
   * `foreignRecord`: writes `text` as it is where a record of `service` is kept, as a foreign program would; each call
   * makes another one.
   */
  writeForeignRecord?(service: string, text: string): Promise<void>;
  /** Ends the registry and removes all it left on disk. */
  close(): Promise<void>;
}
