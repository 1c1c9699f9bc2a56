// Service names: their grammar, and which one is nearest to a misspelt one.

/** Letters, digits, `.`, `_`, `-`; at most 63 characters; never a path, a pattern or a key separator. */
const pattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** The name in lower case, or undefined when it is none. */
export function parseServiceName(text: string): string | undefined {
  const name = text.toLowerCase();
  return pattern.test(name) ? name : undefined;
}

/** More mistakes than this are no misspelling, however long the text is. */
const mistakesMax = 6;

/** Rows of edit distances that are computed for one text; each has at most twice `mistakesMax` cells and one. */
const rowsMax = 20_000;

/**
 * The candidate that differs least from `text`, if it is near enough to be what was meant. A request may wait for it, so
 * it takes some 5 ms at most: the first 300 similar names are looked at, or some 5,000 different ones, and no more.
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let limit = Math.min(mistakesMax, Math.max(1, Math.floor(text.length / 3))) + 1;
  let rowsLeft = rowsMax;
  const rows: Rows = { beforePrevious: [], previous: [], current: [] };
  for (const candidate of candidates) {
    if (Math.abs(text.length - candidate.length) >= limit) continue;
    const { distance, rowCount } = editDistance(text, candidate, limit, rows);
    if (distance < limit) {
      best = candidate;
      limit = distance;
    }
    rowsLeft -= rowCount;
    if (limit === 0 || rowsLeft <= 0) break;
  }
  return best;
}

/** The last rows of distances, used again and again: making them would take longer than what is done with them. */
interface Rows {
  beforePrevious: number[];
  previous: number[];
  current: number[];
}

/**
 * Levenshtein distance where two neighbours that change places count once, or `limit` when it is at least that; and the
 * number of rows that it took. Cells `limit` or further from the diagonal cannot matter, nor what comes after a row without
 * a smaller one.
 */
function editDistance(
  a: string,
  b: string,
  limit: number,
  rows: Rows,
): { readonly distance: number; readonly rowCount: number } {
  const start = commonPrefixLength(a, b);
  const [aLength, bLength] = [a.length - start, b.length - start];
  for (let j = 0; j <= Math.min(bLength, limit); j++) rows.previous[j] = j;
  for (let i = 1; i <= aLength; i++) {
    const first = Math.max(1, i - limit + 1);
    const last = Math.min(bLength, i + limit - 1);
    const x = a.charCodeAt(start + i - 1);
    const xBefore = i > 1 ? a.charCodeAt(start + i - 2) : NaN;
    let smallest = first === 1 ? Math.min(i, limit) : limit;
    rows.current[first - 1] = smallest;
    for (let j = first; j <= last; j++) {
      const y = b.charCodeAt(start + j - 1);
      const isSwapped = j > 1 && xBefore === y && x === b.charCodeAt(start + j - 2);
      const cell = distanceAt(rows, j, x === y, isSwapped);
      rows.current[j] = cell;
      if (cell < smallest) smallest = cell;
    }
    rows.current[last + 1] = limit;
    if (smallest >= limit) return { distance: limit, rowCount: i };
    const { beforePrevious } = rows;
    rows.beforePrevious = rows.previous;
    rows.previous = rows.current;
    rows.current = beforePrevious;
  }
  return { distance: Math.min(limit, rows.previous[bLength] ?? limit), rowCount: aLength };
}

function distanceAt(
  { beforePrevious, previous, current }: Rows,
  j: number,
  isSame: boolean,
  isSwapped: boolean,
): number {
  return Math.min(
    (previous[j - 1] ?? Infinity) + (isSame ? 0 : 1),
    (previous[j] ?? Infinity) + 1,
    (current[j - 1] ?? Infinity) + 1,
    isSwapped ? (beforePrevious[j - 2] ?? Infinity) + 1 : Infinity,
  );
}

function commonPrefixLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
