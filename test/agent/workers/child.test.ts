// A worker's process: what it has of the control process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { stalledPipe } from '../../support/stalled-pipe.ts';

describe('forkWorker', () => {
  const skip = existsSync('/proc/self/fdinfo') ? false : 'there is no /proc';

  it('leaves the outputs that the app shares as they are', { skip }, async (t) => {
    const { writeFd } = stalledPipe(t);
    const directory = mkdtempSync(join(tmpdir(), 'outrigger-worker-'));
    t.after(() => {
      rmSync(directory, { recursive: true });
    });
    // Without a loader of TypeScript, which makes the outputs return by itself.
    const outfile = join(directory, 'entry.mjs');
    const entry = fileURLToPath(new URL('child-entry.ts', import.meta.url));
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      logLevel: 'silent',
    });
    const child = spawn(process.execPath, [outfile], { stdio: ['ignore', writeFd, writeFd] });
    t.after(() => child.kill('SIGKILL'));
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })) as [number];
    assert.equal(code, 0);
  });
});
