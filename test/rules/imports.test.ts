// The house rule: a file imports only from its own folder or from folders of a lower rank.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, it } from 'node:test';

const source = resolve(import.meta.dirname, '../../src');

const ranks: Readonly<Record<string, number>> = {
  core: 0,
  balancing: 1,
  resilience: 1,
  health: 1,
  registry: 1,
  upstream: 2,
  proxy: 3,
  admin: 4,
  dns: 4,
  config: 5,
  agent: 6,
  cli: 7,
};

/** Static, type-only and dynamic imports of relative paths. */
const importPattern = /(?:from\s+|import\s*\(\s*|import\s+)'(\.[^']*)'/g;

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(importPattern)].map(([, path = '']) => resolve(dirname(file), path));
}

function folderOf(file: string): string {
  return relative(source, file).split(sep)[0] ?? '';
}

function rankOf(file: string): number {
  const rank = ranks[folderOf(file)];
  assert.ok(rank !== undefined, `${relative(source, file)}: its folder has no rank`);
  return rank;
}

function mayImport(file: string, imported: string): boolean {
  return folderOf(file) === folderOf(imported) || rankOf(file) > rankOf(imported);
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name));

describe('imports', () => {
  it('are found in the sources', () => {
    assert.ok(files.length > 50);
    assert.ok(files.flatMap(importsOf).length > 100);
  });

  it('go to the own folder or to a lower rank', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((imported) => !mayImport(file, imported))
        .map((imported) => `${relative(source, file)} imports ${relative(source, imported)}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('would be refused the other way round', () => {
    const below = join(source, 'core/clock.ts');
    const above = join(source, 'proxy/exchange.ts');
    const beside = join(source, 'health/probe.ts');
    assert.equal(mayImport(below, above), false);
    assert.equal(mayImport(beside, join(source, 'registry/driver.ts')), false);
    assert.equal(mayImport(above, below), true);
  });

  it('form no cycle', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      const names = [...path, file].map((name) => relative(source, name));
      assert.ok(!path.includes(file), `a cycle: ${names.join(' → ')}`);
      if (done.has(file)) return;
      for (const imported of runtimeImportsOf(file)) visit(imported, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });
});

/** Without those that only import types, which do not exist when the program runs. */
function runtimeImportsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/import type [^;]*;/g, '');
  return [...text.matchAll(importPattern)].map(([, path = '']) => resolve(dirname(file), path));
}
