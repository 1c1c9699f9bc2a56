// Field names are looked up for each field of each message: their lengths tell most of them apart for less.

/** Whether a text is as long as one of the names, and so may be one of them in some case. */
export function lengthsOf(names: Iterable<string>): (name: string) => boolean {
  const lengths: boolean[] = Array.from({ length: 64 }, () => false);
  for (const name of names) lengths[name.length] = true;
  return (name) => lengths[name.length] === true;
}
