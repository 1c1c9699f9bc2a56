// The agent's process: its ready line, signals, exit codes and defects.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stalledPipe } from '../support/stalled-pipe.ts';
import { start } from './run-process.ts';

const entry = './lifetime-entry.ts';

describe('runToEnd', { concurrency: 2 }, () => {
  it('says that it is ready before the app starts, and exits with the code of the agent', async (t) => {
    const { code, stdout } = await start(t, entry, ['end']).ended;
    assert.equal(stdout, 'start\nready\nlaunch\n');
    assert.equal(code, 7);
  });

  for (const [signal, cause] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGINT'],
    ['SIGQUIT', 'SIGTERM'],
  ] as const) {
    it(`drains at ${signal}`, async (t) => {
      const { child, said, ended } = start(t, entry, ['wait']);
      await said('launch');
      child.kill(signal);
      const { code, stdout } = await ended;
      assert.match(stdout, new RegExp(`launch\ndrain ${cause}\n$`));
      assert.equal(code, 0);
    });
  }

  it('is never ready when a drain came first', async (t) => {
    const { code, stdout } = await start(t, entry, ['drain-first']).ended;
    assert.equal(stdout, 'start\n');
    assert.equal(code, 0);
  });

  it('exits at the second signal, whatever the drain does', async (t) => {
    const { child, said, ended } = start(t, entry, ['hang']);
    await said('launch');
    child.kill('SIGTERM');
    await said('drain SIGTERM');
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    assert.match(stdout, /drain SIGTERM\nforce\n$/);
    assert.equal(code, 1);
  });

  it('passes SIGHUP, SIGUSR1 and SIGUSR2 on to the app', async (t) => {
    const { child, said } = start(t, entry, ['wait']);
    await said('launch');
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
      child.kill(signal);
      await said(`signal ${signal}`);
    }
  });

  it('drains when its terminal is closed', async (t) => {
    const { child, said, ended } = start(t, entry, ['wait', 'terminal']);
    await said('launch');
    child.kill('SIGHUP');
    assert.equal((await ended).code, 0);
  });

  it('survives that nobody reads its output', async (t) => {
    const { child, said, ended } = start(t, entry, ['wait']);
    await said('launch');
    child.stdout.destroy();
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
  });

  it('does not wait for a reader of its output that stalls', async (t) => {
    const pipe = stalledPipe(t);
    pipe.fill();
    const path = fileURLToPath(new URL(entry, import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', path, 'stalled'], {
      stdio: ['ignore', pipe.writeFd, 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })) as [number];
    assert.equal(code, 7);
  });

  it('ends after a defect with one line and code 1, and stops the app', async (t) => {
    const { code, stdout, stderr } = await start(t, entry, ['throw']).ended;
    assert.equal(code, 1);
    assert.match(stdout, /signal SIGTERM\n$/);
    assert.equal(stderr.split('\n').length, 2, stderr);
    const record = JSON.parse(stderr) as Record<string, unknown>;
    assert.equal(record['msg'], 'unexpected failure: exiting');
    assert.equal(record['cause'], 'broken: redis://:***@h');
    assert.ok(!stderr.includes('hunter2'));
  });
});
