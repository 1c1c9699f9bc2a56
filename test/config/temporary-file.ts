// A configuration file that lives as long as a test.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Writes the file into a directory of its own, which is removed after the test. Returns its path. */
export async function temporaryFile(t: TestContext, name: string, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'outrigger-config-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}
