// docs/configuration.md is what the tables say. `UPDATE_DOCS=1` before the test command writes it anew.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { it } from 'node:test';
import { configurationDoc } from './configuration-doc.ts';
import { loadFile } from './loading.ts';

const path = new URL('../../docs/configuration.md', import.meta.url);

it('the documentation of the configuration is up to date', async () => {
  const text = await configurationDoc();
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(path, text);
  const hint = 'run: UPDATE_DOCS=1 node --import tsx --test test/config/configuration-doc.test.ts';
  assert.equal(
    await readFile(path, 'utf8').catch(() => ''),
    text,
    `docs/configuration.md; ${hint}`,
  );
});

it('the example in the documentation is a valid file', async (t) => {
  const [, example] = /```yaml\n([^]*?)```/.exec(await configurationDoc()) ?? [];
  const { config } = await loadFile(t, example ?? '');
  assert.deepEqual(
    config.services.map(({ name, zone }) => [name, zone]),
    [
      ['payments', 'eu-1'],
      ['payments-admin', 'eu-1'],
    ],
  );
});
