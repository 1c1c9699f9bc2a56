// A worker's process: what it has of the control process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stalledPipe } from '../../support/stalled-pipe.ts';

describe('forkWorker', () => {
  const skip = existsSync('/proc/self/fdinfo') ? false : 'there is no /proc';

  it('leaves the outputs that the app shares as they are', { skip }, async (t) => {
    const { writeFd } = stalledPipe(t);
    const path = fileURLToPath(new URL('child-entry.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', path], {
      stdio: ['ignore', writeFd, writeFd],
    });
    t.after(() => child.kill('SIGKILL'));
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })) as [number];
    assert.equal(code, 0);
  });
});
