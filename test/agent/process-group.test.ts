// Groups of real processes, living and dead.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { groupIsAlive, signalGroup } from '../../src/agent/process-group.ts';
import { eventually } from '../support/eventually.ts';
import { pidIn, statOf, temporaryDirectory } from '../support/processes.ts';

describe('process group', () => {
  it('is alive as long as one member runs', async () => {
    const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const { pid } = child;
    assert.ok(pid);
    assert.equal(await groupIsAlive(pid), true);
    assert.equal(signalGroup(pid, 'SIGKILL'), true);
    await once(child, 'exit');
    assert.equal(await groupIsAlive(pid), false);
    assert.equal(signalGroup(pid, 'SIGTERM'), false);
  });

  it('is not kept alive by ended processes that nobody reaps', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    // sleep inherits a child of which it knows nothing. It ends when the shell, which would reap it, has become sleep.
    const child = "setsid sh -c 'until grep -q sleep /proc/$PPID/comm; do :; done'";
    const script = `${child} & echo $! > '${file}'; exec sleep 600`;
    const parent = spawn('sh', ['-c', script], { stdio: 'ignore' });
    t.after(() => parent.kill('SIGKILL'));
    const zombie = await pidIn(file);
    await eventually('the child is a zombie', async () => (await statOf(zombie))?.[0] === 'Z');
    assert.equal(signalGroup(zombie, 0), true);
    assert.equal(await groupIsAlive(zombie), false);
  });
});
