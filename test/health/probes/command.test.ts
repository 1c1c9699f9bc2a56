// The command probe with real processes.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commandProbe } from '../../../src/health/probes/command.ts';
import { eventually } from '../../support/eventually.ts';
import {
  isRunning,
  pidIn,
  statOf,
  temporaryDirectory,
  untilEnded,
} from '../../support/processes.ts';
import { causeOf, runProbe } from './support.ts';

const run = (...argv: string[]) => runProbe(commandProbe({ argv }));
const shell = (script: string) => run('sh', '-c', script);

describe('command probe', () => {
  it('passes with exit code 0', async () => {
    assert.deepEqual(await run('true'), { ok: true });
  });

  it('fails with another code and shows both outputs', async () => {
    assert.equal(causeOf(await run('false')), 'exit code 1');
    assert.match(
      causeOf(await shell('echo not ready; echo no database >&2; exit 3')),
      /^exit code 3: (not ready\nno database|no database\nnot ready)$/,
    );
  });

  it('fails when a signal ends the program', async () => {
    assert.equal(causeOf(await shell('kill -9 $$')), 'ended by SIGKILL');
  });

  it('uses no shell', async () => {
    const cause = causeOf(
      await run('node', '-e', 'console.log(process.argv[1]); process.exit(1)', '$HOME; *'),
    );
    assert.equal(cause, 'exit code 1: $HOME; *');
  });

  it('gives the program no input', async () => {
    assert.deepEqual(await run('cat'), { ok: true });
  });

  it('fails when the program cannot be found or run', async (t) => {
    assert.match(causeOf(await run('no-such-program-here')), /cannot run.*ENOENT/);
    const file = join(await temporaryDirectory(t), 'plain.txt');
    await writeFile(file, 'x', { mode: 0o600 });
    assert.match(causeOf(await run(file)), /cannot run.*EACCES/);
    assert.match(causeOf(await run('tr\0ue')), /null bytes/);
  });

  it('keeps 4 KB of an output without end', async () => {
    const cause = causeOf(await shell('yes | head -c 5000000; exit 1'));
    assert.ok(cause.length > 4000 && cause.length < 4200, `${cause.length} characters`);
  });

  it('kills the program and its children at the time-out', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    const script = `sleep 600 & echo $! > '${file}'; echo waiting; wait`;
    const controller = new AbortController();
    const running = commandProbe({ argv: ['sh', '-c', script] }).run(controller.signal);
    const grandchild = await pidIn(file);
    assert.equal(await isRunning(grandchild), true);
    controller.abort(new Error('timed out'));
    assert.match(causeOf(await running), /^timed out/);
    await untilEnded(grandchild);
  });

  it('kills what the program leaves behind', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    assert.deepEqual(await shell(`sleep 600 & echo $! > '${file}'`), { ok: true });
    const grandchild = await pidIn(file);
    await untilEnded(grandchild);
  });

  it('judges by the exit code when a process outside the group keeps the output open', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    const script = `setsid sh -c 'echo $$ > "${file}"; exec sleep 600' & while ! test -s '${file}'; do :; done`;
    const controller = new AbortController();
    const running = commandProbe({ argv: ['sh', '-c', script] }).run(controller.signal);
    const escaped = await pidIn(file);
    t.after(() => process.kill(escaped, 'SIGKILL'));
    // The shell, a child of this process, is gone when another has become the parent.
    await eventually('the program has been reaped', async () => {
      const parent = Number((await statOf(escaped))?.[1]);
      return Number((await statOf(parent))?.[1]) !== process.pid;
    });
    // Its end is reported in the turn after.
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('timed out'));
    assert.deepEqual(await running, { ok: true });
  });

  it('does not begin when the signal has aborted', async () => {
    const signal = AbortSignal.abort(new Error('timed out'));
    assert.equal(causeOf(await commandProbe({ argv: ['true'] }).run(signal)), 'timed out');
  });
});
