// The results of commands on outputs that cannot take them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./entry.ts', import.meta.url));

/** Runs `check --json` below a limit of the shell's `ulimit`, with its stdout in the file. */
function checkInto(path: string, limit: string): { code: number | null; stderr: string } {
  const stdout = openSync(path, 'w');
  const command = `ulimit ${limit}; exec "$0" --import tsx "${program}" check --json`;
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath], {
    stdio: ['ignore', stdout, 'pipe'],
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TSX_DISABLE_CACHE: '1' },
  });
  closeSync(stdout);
  return { code: status, stderr };
}

describe('a result that cannot be written', () => {
  const full = '/dev/full';
  const skip = existsSync(full) ? false : 'there is no /dev/full';

  it('is a failure', { skip }, () => {
    const { code, stderr } = checkInto(full, '-c 0');
    assert.match(stderr, /^outrigger: the output cannot be written: ENOSPC.*\n$/);
    assert.equal(code, 1);
  });

  it('is a failure also when the system takes a part of it', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'outrigger-stdout-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'result');
    const { code, stderr } = checkInto(path, '-f 1');
    assert.ok(statSync(path).size > 0, 'a part was taken');
    assert.match(stderr, /^outrigger: the output cannot be written: EFBIG.*\n$/);
    assert.equal(code, 1);
  });
});
