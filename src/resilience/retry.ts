// When a request may be sent again without the risk of being served twice.

/** RFC 9110 §9.2.2: repeating these has the same intended effect as sending them once. */
const idempotentMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
]);

export interface RetryFacts {
  readonly method: string;
  /** The client vouches with `Idempotency-Key` that a repetition is recognised. */
  readonly idempotencyKey: boolean;
  /** No byte of the request can have reached an instance. */
  readonly neverSent: boolean;
  /** The body is no longer at hand from its first byte. */
  readonly bodyLost: boolean;
}

export function mayRepeat(facts: RetryFacts): boolean {
  if (facts.bodyLost) return false;
  return facts.neverSent || facts.idempotencyKey || idempotentMethods.has(facts.method);
}
