// The log: fields without secrets, and lines for people.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, closeSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { redactFields } from '../../src/cli/logger.ts';
import { formatPretty } from '../../src/cli/pretty.ts';
import { eventually } from '../support/eventually.ts';
import { stalledPipe } from '../support/stalled-pipe.ts';

describe('redactFields', () => {
  it('hides secrets at any depth and leaves the rest', () => {
    const error = Object.assign(new Error('cannot reach redis://:x@h'), { code: 'ECONNREFUSED' });
    assert.deepEqual(
      redactFields({
        url: 'redis://me:x@h/0',
        password: 'x',
        count: 3,
        nothing: null,
        headers: { Authorization: 'x', accept: 'y' },
        urls: ['redis://:x@h', 1],
        error,
      }),
      {
        url: 'redis://me:***@h/0',
        password: '***',
        count: 3,
        nothing: null,
        headers: { Authorization: '***', accept: 'y' },
        urls: ['redis://:***@h', 1],
        error: { code: 'ECONNREFUSED', message: 'cannot reach redis://:***@h' },
      },
    );
  });

  it('ends with values that contain themselves', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    assert.ok(JSON.stringify(redactFields({ loop })).length < 200);
  });
});

describe('createLogger', () => {
  const full = '/dev/full';
  const skip = existsSync(full) ? false : 'there is no /dev/full';
  const path = fileURLToPath(new URL('./logger-entry.ts', import.meta.url));

  it('survives a disk that is full, in bounded memory', { skip }, () => {
    const stderr = openSync(full, 'w');
    const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', path], {
      stdio: ['ignore', 'pipe', stderr],
      encoding: 'utf8',
    });
    closeSync(stderr);
    assert.equal(status, 0);
    assert.ok(Number(stdout) < 200, `${stdout.trim()} MB`);
  });

  it('does not wait for a reader that stalls, and says later what was lost', async (t) => {
    const pipe = stalledPipe(t);
    const child = spawn(process.execPath, ['--import', 'tsx', path, 'stay'], {
      stdio: ['ignore', 'pipe', pipe.writeFd],
    });
    t.after(() => child.kill('SIGKILL'));
    assert.ok(child.stdout !== null);
    const signal = AbortSignal.timeout(30_000);
    const [megabytes] = (await once(child.stdout, 'data', { signal })) as [Buffer];
    assert.ok(Number(megabytes) < 200, `${String(megabytes).trim()} MB`);
    let log = '';
    const dropped = await eventually('it says what was lost', () => {
      log += pipe.read();
      return (
        /"lines":(\d+),"msg":"the log was not read in time: lines were dropped"}\n$/.exec(log) ??
        undefined
      );
    });
    assert.equal(log.split('\n').length - 2 + Number(dropped[1]), 10_000);
  });
});

describe('formatPretty', () => {
  const record = { level: 'warn', time: new Date(2024, 0, 2, 3, 4, 5, 6).toISOString() };

  it('has time, level, message and fields on one line', () => {
    const fields = { service: 'a', cause: 'not there', n: 1, stack: 'Error\n  at x' };
    const line = JSON.stringify({ ...record, ...fields, msg: 'renewal failed' });
    assert.equal(
      formatPretty(line, false),
      '03:04:05.006 WARN  renewal failed service=a cause="not there" n=1\n',
    );
    assert.match(formatPretty(line, true), /^03:04:05\.006 \u001b\[33mWARN \u001b\[0m renewal/);
  });

  it('lets nobody write to the terminal', () => {
    const line = JSON.stringify({ ...record, id: '\u001b[2J\u009b2J', msg: 'x' });
    assert.doesNotMatch(formatPretty(line, false).trimEnd(), /[\u0000-\u001f\u007f-\u009f]/);
  });

  it('leaves alone what is no record', () => {
    assert.equal(formatPretty('plain\n', false), 'plain\n');
  });
});
