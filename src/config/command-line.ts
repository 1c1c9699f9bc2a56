// A command line split into arguments without a shell.

/** Blanks, a quoted part, an escaped character, or anything else that is plain. */
const part = /(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy;

/**
 * The arguments, or undefined when a quote is not closed or there are none. Blanks separate; `'…'` is literal; in `"…"` a
 * backslash escapes `"` and `\`; elsewhere it escapes the next character. Variables, patterns, pipes and redirections mean
 * nothing: who wants them writes `sh -c '…'`.
 */
export function splitCommandLine(text: string): readonly string[] | undefined {
  const argv: string[] = [];
  let current: string | undefined;
  part.lastIndex = 0;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (match === null) return undefined;
    const [, blanks, literal, quoted, escaped, plain] = match;
    if (blanks === undefined) {
      const unquoted = quoted?.replace(/\\(["\\])/g, '$1');
      current = (current ?? '') + (literal ?? unquoted ?? escaped ?? plain ?? '');
    } else if (current !== undefined) {
      argv.push(current);
      current = undefined;
    }
  }
  if (current !== undefined) argv.push(current);
  return argv.length === 0 ? undefined : argv;
}

/** The command line that `splitCommandLine` reads as these arguments. */
export function joinCommandLine(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}

function quote(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return argument.includes("'") ? `"${argument.replace(/["\\]/g, '\\$&')}"` : `'${argument}'`;
}
