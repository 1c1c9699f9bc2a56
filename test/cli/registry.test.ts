// The commands that ask a registry themselves, without an agent.
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../support/processes.ts';
import { outrigger } from './run-process.ts';

describe('a directory that is no registry', { concurrency: 2 }, () => {
  for (const command of [['services'], ['instances', 'payments']]) {
    it(`is an error of ${command.join(' ')}, and is not made one`, async (t) => {
      const directory = await temporaryDirectory(t);
      await mkdir(join(directory, 'empty'));
      const look = (name: string) =>
        outrigger(t, [...command, '--registry', `file://${directory}/${name}`]);
      const [absent, empty] = await Promise.all([look('typo/registry'), look('empty')]);
      assert.deepEqual([absent.code, absent.stdout], [1, '']);
      assert.equal(absent.stderr, `outrigger: ${directory}/typo/registry does not exist\n`);
      assert.equal(empty.code, 1);
      const refusal = `outrigger: ${directory}/empty is no registry: no agent has used it\n`;
      assert.equal(empty.stderr, refusal);
      assert.deepEqual(await readdir(directory, { recursive: true }), ['empty']);
    });
  }
});
