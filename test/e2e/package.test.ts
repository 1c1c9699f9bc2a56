// The package as npm packs it: complete without any other package, and without what nobody reads at run time.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../support/processes.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

it('the package runs alone, installed from its file without a network', async (t) => {
  const directory = await temporaryDirectory(t);
  const npm = (...args: readonly string[]) =>
    run('npm', [...args, '--offline', '--ignore-scripts', '--cache', join(directory, 'cache')], {
      cwd: root,
    });
  const { stdout } = await npm('pack', '--silent', '--pack-destination', directory);
  await npm('install', '--global', '--prefix', directory, join(directory, stdout.trim()));
  const installed = join(directory, 'lib/node_modules/outrigger');
  const files = await readdir(installed, { recursive: true });
  assert.ok(files.includes('dist/cli/worker.js') && files.includes('dist/cli/register.lua'));
  assert.deepEqual(
    files.filter((file) => /\.map$|node_modules/.test(file)),
    [],
  );

  const outrigger = (...args: readonly string[]) => run(join(directory, 'bin/outrigger'), args);
  const config = join(directory, 'a.yaml');
  await writeFile(config, 'registry: redis://127.0.0.1:1\nhealthGrpc: true\nname: a\nport: 80\n');
  const checked = await outrigger('check', '--config', config);
  assert.match(checked.stdout, /^registry: "redis:\/\/127\.0\.0\.1:1"/m);
  await assert.rejects(outrigger('services', '--registry', 'redis://127.0.0.1:1'), /ECONNREFUSED/);
});

it('the bill of materials names every package that has a licence text in the package', async () => {
  const text = (name: string) => readFile(join(root, 'dist', name), 'utf8');
  const { components } = JSON.parse(await text('sbom.cdx.json')) as {
    readonly components: readonly { readonly name: string; readonly version: string }[];
  };
  const licences = (await text('third-party-licences.txt')).split(`\n${'-'.repeat(80)}\n\n`);
  assert.deepEqual(
    components.map(({ name, version }) => `${name} ${version}`),
    licences.map((licence) => licence.split('\n')[0]),
  );
  const names = components.map(({ name }) => name);
  for (const name of ['http-proxy-3', 'ioredis', 'commander', 'pino', 'undici']) {
    assert.ok(names.includes(name), name);
  }
});
