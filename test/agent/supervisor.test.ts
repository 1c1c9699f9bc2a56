// The supervisor with real processes. The apps write to files: their output is the test's own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { Supervisor, type SupervisorOptions } from '../../src/agent/supervisor.ts';
import { systemClock } from '../../src/core/clock.ts';
import { RuntimeError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import {
  isRunning,
  pidIn,
  statOf,
  temporaryDirectory,
  untilEnded,
  writtenTo,
} from '../support/processes.ts';

/** Longer than any app of these tests takes to end when it is asked. */
const longGraceMs = 60_000;

function supervise(t: TestContext, argv: readonly string[], env: SupervisorOptions['env'] = {}) {
  const supervisor = new Supervisor(
    { clock: systemClock, logger: silentLogger },
    {
      argv,
      env: { PATH: process.env['PATH'], ...env },
      proxyUrl: () => 'http://127.0.0.1:4140',
      adminUrl: () => 'http://127.0.0.1:4190',
    },
  );
  t.after(() => supervisor.close());
  return supervisor;
}

const shell = (t: TestContext, script: string) => supervise(t, ['sh', '-c', script]);

/** An app that writes its pid when it is ready, and what it does on SIGTERM. */
async function startNodeApp(t: TestContext, onTerm: string, extra = '') {
  const directory = await temporaryDirectory(t);
  const [pidFile, logFile] = [join(directory, 'pid'), join(directory, 'log')];
  const script = `
    const { appendFileSync, writeFileSync } = require('node:fs');
    const log = (line) => appendFileSync(${JSON.stringify(logFile)}, line + '\\n');
    process.on('SIGTERM', () => { ${onTerm} });
    ${extra}
    setInterval(() => {}, 1000);
    writeFileSync(${JSON.stringify(pidFile)}, process.pid + '\\n');
  `;
  return { script, pidFile, logFile };
}

describe('Supervisor', () => {
  it('gives the app its environment and the two addresses', async (t) => {
    const file = join(await temporaryDirectory(t), 'env');
    const script = `echo "$GIVEN $OUTRIGGER_PROXY $OUTRIGGER_ADMIN" > '${file}'`;
    const supervisor = supervise(t, ['sh', '-c', script], { GIVEN: 'x', OUTRIGGER_PROXY: 'old' });
    await supervisor.start();
    assert.equal(await writtenTo(file), 'x http://127.0.0.1:4140 http://127.0.0.1:4190');
  });

  it('starts once, in a process group of its own', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    const supervisor = shell(t, `echo $$ >> '${file}'; exec sleep 600`);
    await supervisor.start();
    await supervisor.start();
    const pid = await pidIn(file);
    const stat = await statOf(pid);
    assert.equal(Number(stat?.[1]), process.pid, 'a child of this process');
    assert.equal(Number(stat?.[2]), pid, 'the first of its group');
  });

  it('passes input and output through untouched', async () => {
    const source = new URL('../../src/', import.meta.url);
    const program = `
      import { Supervisor } from '${new URL('agent/supervisor.ts', source).href}';
      import { systemClock } from '${new URL('core/clock.ts', source).href}';
      import { silentLogger } from '${new URL('core/logger.ts', source).href}';
      const supervisor = new Supervisor(
        { clock: systemClock, logger: silentLogger },
        { argv: ['sh', '-c', 'cat; echo err >&2'], env: process.env, proxyUrl: () => '', adminUrl: () => '' },
      );
      await supervisor.start();
      await supervisor.exited;
    `;
    const agent = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    agent.stdin.end('in\u0000 and \u001b[31mout');
    const [stdout, stderr] = await Promise.all([text(agent.stdout), text(agent.stderr)]);
    assert.deepEqual([stdout, stderr], ['in\u0000 and \u001b[31mout', 'err\n']);
  });

  it('tells the exit code, or 128 + n for a signal', async (t) => {
    const byItself = shell(t, 'exit 7');
    await byItself.start();
    assert.deepEqual(await byItself.exited, { code: 7 });
    const bySignal = shell(t, 'kill -9 $$');
    await bySignal.start();
    assert.deepEqual(await bySignal.exited, { code: 137 });
  });

  it('refuses a command that cannot be found or run', async (t) => {
    const missing = supervise(t, ['no-such-program-here']);
    await assert.rejects(missing.start(), {
      name: 'AppStartError',
      message: 'command not found: no-such-program-here',
      exitCode: 127,
    });
    await missing.stop(longGraceMs);
    const file = join(await temporaryDirectory(t), 'plain.txt');
    await writeFile(file, 'x', { mode: 0o600 });
    for (const command of [file, `${file}/x`]) {
      const message = `command is not executable: ${command}`;
      const refusal = { name: 'AppStartError', message, exitCode: 126 };
      await assert.rejects(supervise(t, [command]).start(), refusal);
    }
    await assert.rejects(supervise(t, ['tr\0ue']).start(), { name: 'AppStartError', exitCode: 1 });
  });

  it('passes signals on to the whole group', async (t) => {
    const app = await startNodeApp(t, '', "process.on('SIGUSR2', () => log('USR2'));");
    // The app is a child of the shell, which the signal reaches as well.
    const script = 'trap : USR2; node -e "$0"; exit 4';
    const supervisor = supervise(t, ['sh', '-c', script, app.script]);
    await supervisor.start();
    await pidIn(app.pidFile);
    supervisor.signal('SIGUSR2');
    assert.equal(await writtenTo(app.logFile), 'USR2');
  });

  it('stops an app that ends by itself when asked', async (t) => {
    const app = await startNodeApp(t, "log('TERM'); process.exit(0)");
    const supervisor = supervise(t, ['node', '-e', app.script]);
    await supervisor.start();
    const pid = await pidIn(app.pidFile);
    await supervisor.stop(longGraceMs);
    assert.equal(await isRunning(pid), false);
    assert.deepEqual(await supervisor.exited, { code: 0 });
    assert.equal(await writtenTo(app.logFile), 'TERM');
  });

  it('kills an app that does not end in time, with its children', async (t) => {
    const app = await startNodeApp(
      t,
      "log('TERM')",
      "const child = require('node:child_process').spawn('sh', ['-c', 'trap \"\" TERM; echo $$; while :; do sleep 600; done']); child.stdout.once('data', (pid) => log(String(pid).trim()));",
    );
    const supervisor = supervise(t, ['node', '-e', app.script]);
    await supervisor.start();
    const pid = await pidIn(app.pidFile);
    const child = await pidIn(app.logFile);
    await supervisor.stop(100);
    assert.deepEqual(await supervisor.exited, { code: 137 });
    assert.equal(await isRunning(pid), false);
    assert.equal(await isRunning(child), false);
  });

  it('waits for an app behind a shell that ends first', async (t) => {
    const app = await startNodeApp(
      t,
      "setTimeout(() => { log('finished'); process.exit(); }, 300)",
    );
    const supervisor = supervise(t, ['sh', '-c', 'node -e "$0"; exit 1', app.script]);
    await supervisor.start();
    const pid = await pidIn(app.pidFile);
    await supervisor.stop(longGraceMs);
    assert.deepEqual(await supervisor.exited, { code: 143 }, 'the shell ended by the signal');
    assert.equal(await readFile(app.logFile, 'utf8'), 'finished\n');
    assert.equal(await isRunning(pid), false);
  });

  it('stops what the app left behind when it ended by itself', async (t) => {
    const file = join(await temporaryDirectory(t), 'pid');
    const supervisor = shell(t, `sleep 600 & echo $! > '${file}'; exit 3`);
    await supervisor.start();
    assert.deepEqual(await supervisor.exited, { code: 3 });
    const rest = await pidIn(file);
    assert.equal(await isRunning(rest), true, 'until the stop');
    await supervisor.stop(longGraceMs);
    assert.equal(await isRunning(rest), false);
  });

  it('sends SIGTERM once, and the shortest grace wins', async (t) => {
    const app = await startNodeApp(t, "log('TERM')");
    const supervisor = supervise(t, ['node', '-e', app.script]);
    await supervisor.start();
    await pidIn(app.pidFile);
    const first = supervisor.stop(longGraceMs);
    assert.equal(await writtenTo(app.logFile), 'TERM');
    await supervisor.stop(200);
    await first;
    assert.deepEqual(await supervisor.exited, { code: 137 });
    assert.equal(await readFile(app.logFile, 'utf8'), 'TERM\n');
  });

  it('kills at once when it is closed', async (t) => {
    const app = await startNodeApp(t, "log('TERM')");
    const supervisor = supervise(t, ['node', '-e', app.script]);
    await supervisor.start();
    const pid = await pidIn(app.pidFile);
    await supervisor.close();
    await untilEnded(pid);
    assert.deepEqual(await supervisor.exited, { code: 137 });
    await supervisor.close();
  });

  it('signals nobody once the app is gone', async (t) => {
    const supervisor = shell(t, 'exit 0');
    await supervisor.start();
    await supervisor.exited;
    await supervisor.stop(longGraceMs);
    const signalled = t.mock.method(process, 'kill');
    supervisor.signal('SIGTERM');
    await supervisor.stop(0);
    assert.equal(signalled.mock.callCount(), 0);
  });

  it('does not start after it was stopped', async (t) => {
    const supervisor = shell(t, 'exit 0');
    await supervisor.stop(longGraceMs);
    await assert.rejects(supervisor.start(), RuntimeError);
  });
});
