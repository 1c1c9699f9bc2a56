// Waiting for an event with a deadline, in place of sleeping.

export interface WaitOptions {
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/** Calls `check` until it returns something other than undefined or false; fails at the deadline with its last error. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  { deadlineMs = 10_000, everyMs = 10 }: WaitOptions = {},
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  let lastError: unknown;
  do {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      lastError = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  } while (performance.now() < endMs);
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: lastError });
}
