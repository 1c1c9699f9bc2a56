// A Route: who is called, and with which target.
import type { Address } from '../../core/address.ts';
import type { Reason } from '../../core/reasons.ts';

export type AddressingMode = 'listener' | 'connect' | 'header' | 'absolute' | 'host' | 'path';

export type Route =
  | {
      readonly kind: 'service';
      readonly mode: AddressingMode;
      readonly service: string;
      /** Only instances with this tag. */
      readonly tag: string | undefined;
      /** What is forwarded, in origin form; empty for a tunnel. */
      readonly path: string;
    }
  /** A host that is no service, let through to the network. */
  | {
      readonly kind: 'external';
      readonly mode: AddressingMode;
      readonly address: Address;
      readonly path: string;
    }
  | { readonly kind: 'refusal'; readonly reason: Reason; readonly detail: string };

/** What the modes look at. Strictly checked before: the Host is valid, the target is of a known form. */
export interface Addressed {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  /** The Host header; undefined in HTTP/1.0 without one. */
  readonly host: string | undefined;
  /** The service that the listener belongs to, if it belongs to one. */
  readonly listenerService: string | undefined;
  readonly arrival: Arrival;
}

/** Where the connection arrived; undefined on a unix socket. A socket asks the system for it when it is read. */
export interface Arrival {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

export function refusal(reason: Reason, detail: string): Route {
  return { kind: 'refusal', reason, detail };
}
