// A Probe: one way to ask the local app whether it is well.

export type ProbeResult =
  | { readonly ok: true }
  /** `refused`: nothing listens there; it counts at once, without the damping of other failures. */
  | { readonly ok: false; readonly refused: boolean; readonly cause: string }
  /** The agent could not ask, for a want of its own; that says nothing of the app. */
  | { readonly ok: undefined; readonly cause: string };

export interface Probe {
  /** For people, with its target: `http http://127.0.0.1:8080/health`. */
  readonly name: string;
  /** Asks once. Never rejects; ends soon after the signal aborts. */
  run(signal: AbortSignal): Promise<ProbeResult>;
}
