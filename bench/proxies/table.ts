// Text tables: the first column has the names of the rows, all others are figures.

/** Each column is as wide as its widest cell; the first one has no title. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [['', ...titles], ...rows];
  const widths = ['', ...titles].map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines
    .map(([name = '', ...cells]) => {
      const figures = cells.map((cell, n) => cell.padStart((widths[n + 1] ?? 0) + 2));
      return name.padEnd(widths[0] ?? 0) + figures.join('');
    })
    .join('\n');
}

/** A dash where there is no such figure. */
export function number(value: number | undefined, digits: number): string {
  return value === undefined || !Number.isFinite(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
