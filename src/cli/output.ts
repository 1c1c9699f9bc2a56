// Texts for people: tables, colours, times; and their escape from what a registry's records may contain.

/** Where a command writes its result. */
export interface Output {
  write(text: string): void;
  /** Whether colours may be used. */
  readonly color: boolean;
}

export type Tone = 'plain' | 'good' | 'bad' | 'dim' | 'bold';

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

const codes: Readonly<Record<Tone, number>> = { plain: 0, good: 32, bad: 31, dim: 2, bold: 1 };

const gap = '  ';

/** Columns as wide as their widest cell; the last is not padded, so that a wide one wraps where the terminal wants. */
export function formatTable(
  output: Output,
  head: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
): string {
  const cells = [head.map((text) => ({ text, tone: 'dim' as const })), ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: cell, tone: 'plain' as const } : cell)),
  );
  const clean = cells.map((row) => row.map((cell) => ({ ...cell, text: printable(cell.text) })));
  const widths = head.map((_, column) =>
    Math.max(...clean.map((row) => row[column]?.text.length ?? 0)),
  );
  const lines = clean.map((row) =>
    row
      .map(({ text, tone }, column) => {
        const padding = column === row.length - 1 ? 0 : (widths[column] ?? 0) - text.length;
        return paint(output, text, tone) + ' '.repeat(padding);
      })
      .join(gap)
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** The text in the tone's colour, where colours may be used. */
export function paint(output: Output, text: string, tone: Tone): string {
  return output.color && tone !== 'plain' ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text;
}

/**
 * The text with everything replaced that would move a terminal's cursor, change its colours or the direction of writing:
 * records of a registry are written by others.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '?');
}

/** A time span as people say it: `350ms`, `12s`, `3m 12s`, `2h 5m`, `3d 4h`. */
export function formatAge(ageMs: number): string {
  if (ageMs < 1000) return `${Math.round(ageMs)}ms`;
  const seconds = Math.floor(ageMs / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

export function formatJson(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
