// `outrigger check`: the resolved configuration with origins, for people and as JSON.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckDocument } from '../../src/cli/commands/check.ts';
import { temporaryFile } from '../config/temporary-file.ts';
import { outrigger } from './run-process.ts';

describe('outrigger check', { concurrency: 2 }, () => {
  it('prints a file that it accepts', async (t) => {
    const args = ['check', '--name', 'a', '-p', '80', '--health-tcp', '--tag', 'v1', '--tag', 'v2'];
    const environment = { OUTRIGGER_TTL: '9s', OUTRIGGER_REGISTRY: 'redis://:hunter2@h' };
    const first = await outrigger(t, [...args, '--', 'node', '--port', 'a b'], environment);
    assert.equal(first.stderr, '');
    assert.equal(first.code, 0);
    assert.match(first.stdout, /^tags: \[v1, v2\] {2}# flag --tag$/m);
    assert.match(first.stdout, /^ttl: 9s {2}# variable OUTRIGGER_TTL$/m);
    assert.match(
      first.stdout,
      /^registry: "redis:\/\/:\*\*\*@h" {2}# variable OUTRIGGER_REGISTRY$/m,
    );
    assert.match(first.stdout, /^# command of the app: node --port 'a b'$/m);
    const path = await temporaryFile(t, 'a.yaml', first.stdout);
    const second = await outrigger(t, ['check', '--config', path]);
    assert.equal(second.stderr, '');
    assert.match(second.stdout, /^heartbeat: 3s {2}# file /m);
  });

  it('prints JSON', async (t) => {
    const path = await temporaryFile(t, 'a.json', '{"passthrough": true}');
    const args = ['check', '--json', '--no-passthrough', '--config', path];
    const { stdout, code } = await outrigger(t, args, { OUTRIGGER_ZONES: 'x' });
    const document = JSON.parse(stdout) as CheckDocument;
    assert.equal(code, 0);
    assert.equal(document.config['passthrough'], false);
    assert.equal(document.origins['passthrough'], 'flag --no-passthrough');
    assert.equal(document.command, '');
    assert.match(document.warnings.join(), /OUTRIGGER_ZONES/);
  });

  it("refuses a heartbeat that the registry's own ttl is too short for", async (t) => {
    const args = ['check', '-n', 'a', '-p', '80', '--heartbeat', '4s', '-r'];
    const { stderr, code } = await outrigger(t, [...args, 'redis://h?ttl=6s']);
    assert.equal(code, 2);
    assert.match(stderr, /at most half of ttl, but is 4s of 6s\n$/);
    assert.equal((await outrigger(t, [...args, 'redis://h?ttl=9s'])).code, 0);
  });

  it('refuses a registry parameter that no driver knows', async (t) => {
    const { stderr, code } = await outrigger(t, ['check', '-r', 'redis://h?nope=1']);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^outrigger: registry redis:\/\/h\?nope=1: parameter "nope" is unknown.*\n$/,
    );
  });
});
