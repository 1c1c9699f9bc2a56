// The READMEs of the examples: one command to start each, of files that exist, with flags that the program takes.
import assert from 'node:assert/strict';
import { accessSync, constants, existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { splitCommandLine } from '../../src/config/command-line.ts';
import { loadRun, pathOf, textOf } from './support.ts';

const examples = ['two-apps', 'compose', 'kubernetes', 'kubernetes-registry', 'systemd'];

describe('the READMEs of the examples', () => {
  for (const example of examples) {
    it(`start ${example} with one command`, async () => {
      const text = await textOf(`examples/${example}/README.md`);
      const blocks = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block);
      assert.equal(blocks.length, 1, 'exactly one block of shell commands');
      const [command = '', ...more] = (blocks[0] ?? '').trim().split('\n');
      assert.deepEqual(more, []);
      const path = command.split(' ').find((word) => word.startsWith(`examples/${example}/`));
      assert.ok(path !== undefined && existsSync(pathOf(path)), command);
      if (path.endsWith('.sh')) accessSync(pathOf(path), constants.X_OK);
    });

    it(`show command lines in ${example} that the agent takes`, async () => {
      const text = await textOf(`examples/${example}/README.md`);
      const inline = [...text.matchAll(/`outrigger (run [^`]+)`/g)].map(([, line = '']) => line);
      for (const line of inline) await loadRun(splitCommandLine(line) ?? []);
      for (const [, json = ''] of text.matchAll(/^CMD (\[.*\])$/gm)) {
        await loadRun(JSON.parse(json) as string[]);
      }
    });
  }
});
