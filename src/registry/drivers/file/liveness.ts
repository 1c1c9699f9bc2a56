// When a heartbeat is too old, seen by a reader who looks now and then and trusts nobody's wall clock.

/** What a reader knows of one heartbeat. Times are monotonic, except the mtime, which is the file system's. */
export interface Freshness {
  readonly mtimeMs: number;
  /** When the reader looked last. */
  readonly lookedAtMs: number;
  /** The instance counts as alive until then, and must be looked at again before it counts as dead. */
  readonly freshUntilMs: number;
}

export interface HeartbeatLook {
  readonly mtimeMs: number;
  /** The file system's time at the look. */
  readonly serverNowMs: number;
  readonly nowMs: number;
  readonly ttlMs: number;
}

/**
 * Takes a look into account. The age of a beat is told by the file system's time, but a beat that has changed since the
 * last look is no older than that look, and one that has not changed gets no younger: a jump of the wall clock neither ends
 * nor prolongs a life. A beat from the future counts as fresh for one lease time after it was first seen.
 */
export function looked(previous: Freshness | undefined, look: HeartbeatLook): Freshness {
  const { mtimeMs, serverNowMs, nowMs, ttlMs } = look;
  if (previous?.mtimeMs === mtimeMs) return { ...previous, lookedAtMs: nowMs };
  const ageMs = Math.max(0, serverNowMs - mtimeMs);
  const ageMsMax = previous === undefined ? ageMs : nowMs - previous.lookedAtMs;
  const beatAtMs = nowMs - Math.min(ageMs, ageMsMax);
  return { mtimeMs, lookedAtMs: nowMs, freshUntilMs: beatAtMs + ttlMs };
}

/** A record that nobody released is gone: its owner has one lease time to put it back. */
export function missed(previous: Freshness, nowMs: number, ttlMs: number): Freshness {
  return { ...previous, lookedAtMs: nowMs, freshUntilMs: nowMs + ttlMs };
}

export function isFresh(freshness: Freshness, nowMs: number): boolean {
  return nowMs < freshness.freshUntilMs;
}
