// README.md, ARCHITECTURE.md and docs/: what they name exists, and what they repeat is what the program says.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { registerCheck } from '../../src/cli/commands/check.ts';
import { registerDrain } from '../../src/cli/commands/drain.ts';
import { registerExplain } from '../../src/cli/commands/explain.ts';
import { registerInstances } from '../../src/cli/commands/instances.ts';
import { registerRun } from '../../src/cli/commands/run.ts';
import { registerServices } from '../../src/cli/commands/services.ts';
import { registerStatus } from '../../src/cli/commands/status.ts';
import { registerWait } from '../../src/cli/commands/wait.ts';
import { flagOf, settingKeys, settingOf } from '../../src/config/settings.ts';
import { reasons } from '../../src/core/reasons.ts';

const root = resolve(import.meta.dirname, '../..');
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function textOf(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/** The text between a heading of the second level and the next one. */
function sectionOf(document: string, heading: string): string {
  const [, ...sections] = textOf(document).split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `${document} has no section "${heading}"`);
  return section;
}

describe('README.md', () => {
  it('has the two commands of the quick start, and no other', () => {
    const blocks = sectionOf('README.md', 'Quick start').matchAll(/^```sh\n([^]*?)^```$/gm);
    assert.deepEqual(
      [...blocks].map(([, block = '']) => block.trim()),
      ['npm ci && npm run demo', 'npm ci && npm test'],
    );
  });

  it('has every reason code with its status and meaning', () => {
    const section = sectionOf('README.md', 'Retries and reason codes');
    const rows = [...section.matchAll(/^\| `(\w+)` +\| (\d+) +\| (.*?) +\|$/gm)];
    assert.deepEqual(
      rows.map(([, code, status, meaning]) => [code, Number(status), meaning]),
      Object.entries(reasons).map(([code, { status, meaning }]) => [code, status, meaning]),
    );
  });

  it('has the important flags as they are, with their defaults', () => {
    const rows = [...sectionOf('README.md', 'Flags').matchAll(/^\| (`-.*?) +\| (.*?) *\| .*\|$/gm)];
    assert.ok(rows.length > 10);
    for (const [, flags = '', shown = ''] of rows) {
      const [, flag, argument] = /`(--[a-z-]+)(?: ([^`]+))?`$/.exec(flags) ?? [];
      const key = settingKeys.find((one) => flagOf(one) === flag);
      assert.ok(key !== undefined, flags);
      const { argument: full, default: value, defaultText } = settingOf(key);
      // Of several kinds of value the table may have the usual one alone.
      assert.ok([full, full?.split('|')[0]].includes(argument), `the value of ${flags}`);
      if (value !== undefined)
        assert.equal(shown, value === 'false' ? 'off' : `\`${value}\``, flags);
      else assert.equal(shown !== '', defaultText !== undefined, flags);
    }
  });

  it('mentions no flag that no command takes', () => {
    const known = new Set(flagsOfAllCommands());
    const mentioned = flagsIn(textOf('README.md'));
    assert.ok(mentioned.length > 30);
    assert.deepEqual(
      mentioned.filter((flag) => !known.has(flag)),
      [],
    );
  });
});

describe('the documents', () => {
  for (const document of documents) {
    it(`${document} links to files and headings that exist`, () => {
      const broken = linksIn(textOf(document)).filter((link) => !leadsSomewhere(document, link));
      assert.deepEqual(broken, []);
    });
  }

  it('are linked: the README leads to all others', () => {
    const links = linksIn(textOf('README.md')).map((link) => link.split('#')[0]);
    const others = documents.filter((document) => document !== 'README.md');
    assert.deepEqual(
      others.filter((document) => !links.includes(document)),
      [],
    );
  });
});

describe('ARCHITECTURE.md', () => {
  it('names files and folders that exist', () => {
    const named = pathsIn(textOf('ARCHITECTURE.md'));
    assert.ok(named.length > 50);
    const missing = named.filter((path) => {
      const found = statSync(join(root, path), { throwIfNoEntry: false });
      return path.endsWith('/') ? found?.isDirectory() !== true : found?.isFile() !== true;
    });
    assert.deepEqual(missing, []);
  });

  it('has every folder of src in its table', () => {
    const section = sectionOf('ARCHITECTURE.md', 'Folders and ranks');
    const folders = readdirSync(join(root, 'src')).map((name) => `src/${name}/`);
    assert.deepEqual(
      folders.filter((folder) => !section.includes(`\`${folder}\``)),
      [],
    );
  });
});

function flagsOfAllCommands(): readonly string[] {
  const program = new Command();
  for (const register of [registerRun, registerCheck]) register(program, []);
  for (const register of [registerDrain, registerExplain, registerInstances]) register(program);
  for (const register of [registerServices, registerStatus, registerWait]) register(program);
  const options = program.commands.flatMap((command) => command.options);
  return ['--help', '--version', ...options.flatMap(({ long }) => long ?? [])];
}

/** In code, without the options of other programs: those of curl, and of what comes after `--`. */
function flagsIn(text: string): readonly string[] {
  const code = [...text.matchAll(/^```.*\n([^]*?)^```$|`([^`\n]+)`/gm)];
  const lines = code.flatMap(([, block, span]) => (block ?? span ?? '').split('\n'));
  return lines
    .filter((line) => !/(?:^|\s)curl\s/.test(line))
    .flatMap((line) => line.replace(/ -- .*/, '').match(/(?<!\S)--[a-z][a-z-]*/g) ?? []);
}

function linksIn(text: string): readonly string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path = '', heading] = link.split('#');
  const target = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(root, target))) return false;
  return heading === undefined || anchorsOf(textOf(target)).includes(heading);
}

/** As GitHub makes them from headings. */
function anchorsOf(text: string): readonly string[] {
  const headings = text.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Paths in code. Of one with a NAME to be filled in, the folder that the file is put into. */
function pathsIn(text: string): readonly string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '');
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, span = '']) => span.split(' '));
  const paths = spans.filter((word) => /^(?:src|test|docs|examples|bench|bin)\//.test(word));
  return paths.map((path) => path.replace(/NAME.*$/, ''));
}
