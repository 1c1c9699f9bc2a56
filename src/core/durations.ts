// Durations as people write them: `250ms`, `2s`, `5m`, `1h`.

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** 24 h: the system's timers cannot count further than some weeks, and a day is more than any setting needs. */
export const durationMsMax = 86_400_000;

/** Milliseconds, or undefined when the text is no duration. A unit is required, except for `0`. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const factor = unitMs[match?.[2] ?? ''];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

/** The shortest text that `parseDurationMs` reads back, to the millisecond. */
export function formatDurationMs(durationMs: number): string {
  const rounded = Math.round(durationMs);
  if (rounded === 0) return '0';
  for (const unit of ['h', 'm', 's']) {
    const factor = unitMs[unit] ?? 1;
    if (rounded % factor === 0) return `${rounded / factor}${unit}`;
  }
  return `${rounded}ms`;
}
