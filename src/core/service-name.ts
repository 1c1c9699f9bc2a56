// Service names: their grammar, and which one is nearest to a misspelt one.

/** Letters, digits, `.`, `_`, `-`; at most 63 characters; never a path, a pattern or a key separator. */
const pattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** The name in lower case, or undefined when it is none. */
export function parseServiceName(text: string): string | undefined {
  const name = text.toLowerCase();
  return pattern.test(name) ? name : undefined;
}

/** The candidate that differs least from `text`, if it is near enough to be what was meant. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(text.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance where two neighbours that change places count once, or `limit` when it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const transposition = swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity;
      const insertion = (current[j - 1] ?? 0) + 1;
      const deletion = (previous[j] ?? 0) + 1;
      current.push(Math.min(substitution, transposition, insertion, deletion));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? limit;
}
