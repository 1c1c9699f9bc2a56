// Whether the process of a record still runs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  findEnded,
  keyOf,
  ownProcess,
  parseProcessStat,
  type ProcessIdentity,
} from '../../../../src/registry/drivers/file/processes.ts';

describe('parseProcessStat', () => {
  it('finds the start time behind a name with spaces and parentheses', () => {
    const after = Array.from({ length: 18 }, (_, index) => index).join(' ');
    assert.deepEqual(parseProcessStat(`7 (a) b (c) S ${after} 1234 0 0`), {
      startTicks: 1234,
      ended: false,
    });
    assert.equal(parseProcessStat(`7 (node) Z ${after} 1234 0`)?.ended, true);
  });

  it('reads nothing from anything else', () => {
    for (const text of ['', '7 (node) S 1 2 3', 'x'.repeat(500)]) {
      assert.equal(parseProcessStat(text), undefined);
    }
  });
});

describe('findEnded', { skip: process.platform !== 'linux' && 'Linux only' }, () => {
  /** The identity of a child process, as it would write it itself. */
  async function identify(pid: number): Promise<ProcessIdentity> {
    const own = await ownProcess();
    const startTicks = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.startTicks;
    assert.ok(own !== undefined && startTicks !== undefined);
    return { ...own, pid, startTicks };
  }

  it('tells running, ended and replaced processes apart', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const running = await identify(child.pid ?? 0);
    const replaced = { ...running, startTicks: running.startTicks - 1 };
    const own = await ownProcess();
    assert.deepEqual(await findEnded(own, [running, replaced]), new Set([keyOf(replaced)]));
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.deepEqual(await findEnded(own, [running]), new Set([keyOf(running)]));
  });

  it('takes a process that nobody has waited for as ended', async () => {
    // The shell becomes a program that never waits for its child.
    const parent = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60']);
    try {
      const [text] = (await once(parent.stdout, 'data')) as [Buffer];
      const zombie = await identify(Number(text.toString()));
      const own = await ownProcess();
      const deadline = AbortSignal.timeout(5000);
      while ((await findEnded(own, [zombie])).size === 0) deadline.throwIfAborted();
      assert.match(readFileSync(`/proc/${zombie.pid}/stat`, 'latin1'), /\) Z /);
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'exit');
    }
  });

  it('says nothing of processes elsewhere', async () => {
    const own = await ownProcess();
    assert.ok(own !== undefined);
    const ended = { ...own, startTicks: own.startTicks - 1 };
    assert.equal((await findEnded(own, [ended])).size, 1);
    assert.equal((await findEnded(own, [{ ...ended, bootId: 'another host' }])).size, 0);
    assert.equal((await findEnded(own, [{ ...ended, namespaces: 'a container' }])).size, 0);
    assert.equal((await findEnded(undefined, [ended])).size, 0);
  });
});
