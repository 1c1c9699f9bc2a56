// Usage: help, version, and bad input, which ends with exit code 2 and one line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { temporaryFile } from '../config/temporary-file.ts';
import { outrigger, type Ended } from './run-process.ts';

function assertRefused({ code, stdout, stderr }: Ended, message: string | RegExp): void {
  if (typeof message === 'string') assert.equal(stderr, `outrigger: ${message}\n`);
  else assert.match(stderr, message);
  assert.equal(stderr.split('\n').length, 2, 'one line');
  assert.doesNotMatch(stderr, /^\s+at /m);
  assert.equal(stdout, '');
  assert.equal(code, 2);
}

describe('bad input', { concurrency: 2 }, () => {
  const cases: readonly (readonly [args: string, message: string])[] = [
    [
      'run --name a --port 70000',
      '--port: "70000" is no port; allowed is a whole number from 1 to 65535',
    ],
    ['run --prot 80', "unknown option '--prot'; did you mean --port?"],
    ['run --port', "option '-p, --port <PORT>' argument missing"],
    ['run node app.js', 'unexpected argument "node"; the command of the app comes after --'],
    ['rnu', 'unknown command "rnu"; did you mean "run"?'],
    ['--name a run', '--name: flags come after the command, as in "outrigger run --name"'],
    [
      'run --registry redsi://h',
      'registry "redsi://h": unknown scheme "redsi:"; did you mean "redis:"?',
    ],
    ['check --config /nonexistent/a.yaml', '--config: "/nonexistent/a.yaml" does not exist'],
    ['explain', "missing required argument 'service'"],
  ];
  for (const [args, message] of cases) {
    it(args, async (t) => {
      assertRefused(await outrigger(t, args.split(' ')), message);
    });
  }

  it('in a variable', async (t) => {
    const ended = await outrigger(t, ['run'], { OUTRIGGER_TTL: '5' });
    assertRefused(ended, 'OUTRIGGER_TTL: "5" has no unit; write 5s or 5ms');
  });

  it('in a file, without its secrets', async (t) => {
    const path = await temporaryFile(t, 'a.yaml', 'registry: "redis://:hunter2@h x"\n');
    const ended = await outrigger(t, ['run', '--config', path]);
    assertRefused(ended, /a\.yaml: registry\[0\]: "redis:\/\/:\*\*\*@h x" is no registry URL/);
  });
});

describe('help', { concurrency: 2 }, () => {
  it('is printed on stdout, with the flags in groups and examples', async (t) => {
    const { code, stdout, stderr } = await outrigger(t, ['run', '--help']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    const headings = [...stdout.matchAll(/^(\S.*):$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, [
      'The service of the app',
      'Health checks of the app',
      'Registry',
      'Outbound proxy',
      'Agent',
      'Options',
      'Examples',
    ]);
    assert.doesNotMatch(stdout, /preset/);
  });

  it('has of each switch the flag that changes the default', async (t) => {
    const { stdout } = await outrigger(t, ['run', '--help']);
    const shown = [...stdout.matchAll(/^ +(--(?:no-)?(?:passthrough|fast-lane)) /gm)];
    assert.deepEqual(
      shown.map(([, flag]) => flag),
      ['--passthrough', '--no-fast-lane'],
    );
  });

  it('is printed on stderr when no command is given', async (t) => {
    const { code, stdout, stderr } = await outrigger(t, []);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^Usage: outrigger/);
    for (const name of ['run', 'check', 'services', 'instances', 'explain', 'wait', 'status']) {
      assert.match(stderr, new RegExp(`^ {2}${name} `, 'm'));
    }
  });

  it('of a command is printed by the help command too', async (t) => {
    const [one, other] = await Promise.all([
      outrigger(t, ['help', 'check']),
      outrigger(t, ['check', '--help']),
    ]);
    assert.equal(one.stdout, other.stdout);
    assert.match(one.stdout, /--json/);
  });

  it('of a command that asks an agent says where it is looked for', async (t) => {
    const { stdout } = await outrigger(t, ['status', '--help']);
    const text = stdout.replace(/\s+/g, ' ');
    assert.match(
      text,
      /--admin <host:port> [^-]*\(default: "127\.0\.0\.1:4190", env: OUTRIGGER_ADMIN\)/,
    );
  });

  it('is not needed for the version', async (t) => {
    const { code, stdout } = await outrigger(t, ['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });
});
