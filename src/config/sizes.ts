// Sizes as people write them: `512B`, `64KiB`, `1MiB`.

const units = { GiB: 1_073_741_824, MiB: 1_048_576, KiB: 1024, B: 1 } as const;

/** Bytes, or undefined when the text is no size. A unit is required, except for `0`. */
export function parseSizeBytes(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** The shortest text that `parseSizeBytes` reads back. */
export function formatSizeBytes(sizeBytes: number): string {
  if (sizeBytes === 0) return '0';
  for (const [unit, factor] of Object.entries(units)) {
    if (sizeBytes % factor === 0) return `${sizeBytes / factor}${unit}`;
  }
  return `${sizeBytes}B`;
}
