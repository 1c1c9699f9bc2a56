// Time as an argument: every deadline in the program is counted on a Clock, so tests can own time.

/** A pending callback; cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary moment. The only time that deadlines are counted in. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970. For people and for files on disk only, never for deadlines. */
  wallMs(): number;
  /**
   * Calls back once after `delayMs`, or after 24 days, more than which the system's timers cannot count. The caller owns the
   * timer and cancels it.
   */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason as soon as it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Node makes a longer delay one of 1 ms. */
const delayMsMax = 2 ** 31 - 1;

/** The process's own clock. Its monotonic time also passes while the process is stopped by a signal. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, callback) => {
    const handle = setTimeout(callback, Math.min(delayMs, delayMsMax));
    return {
      cancel: () => {
        clearTimeout(handle);
      },
    };
  },
  sleep(delayMs, signal) {
    return sleepOn(this, delayMs, signal);
  },
};

/** `sleep` in terms of `after`; for implementations of Clock. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(abortReason(signal));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
