// The Dockerfile, read line by line: no container engine is at hand, so what can go wrong is looked for one by one.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { pathOf, textOf } from './support.ts';

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

// https://docs.docker.com/reference/dockerfile/
const words = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);

function parse(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(?:#|$)/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    assert.ok(words.has(word), `no instruction: ${line}`);
    if (word === 'FROM') {
      const [, from = '', name] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ from, name, instructions: [] });
    } else {
      assert.ok(stages.length > 0, `before the first stage: ${line}`);
      stages.at(-1)?.instructions.push({ word, rest });
    }
  }
  return stages;
}

const stages = parse(await textOf('Dockerfile'));
const final = stages.at(-1);
assert.ok(final);

function inFinal(word: string): readonly string[] {
  return (final?.instructions ?? []).filter((one) => one.word === word).map(({ rest }) => rest);
}

function lastJson(word: string): unknown {
  return JSON.parse(
    inFinal(word)
      .at(-1)
      ?.replace(/^.*?(?=\[)/, '') ?? '',
  );
}

function copies(stage: Stage) {
  return stage.instructions
    .filter(({ word }) => word === 'COPY')
    .map(({ rest }) => {
      const [, from, paths = ''] = /^(?:--from=(\S+) )?(.+)$/.exec(rest) ?? [];
      return { from, sources: paths.split(' ').slice(0, -1) };
    });
}

describe('the Dockerfile', () => {
  it('builds in stages of their own, on one pinned major of Node', () => {
    assert.deepEqual(
      stages.map(({ name }) => name),
      ['build', undefined],
    );
    for (const { from } of stages) assert.match(from, /^node:\d+-[a-z]+-slim$/);
    assert.equal(new Set(stages.map(({ from }) => from)).size, 1);
  });

  it('copies what exists, and the context has it', async () => {
    const context = (await textOf('.dockerignore'))
      .split('\n')
      .filter((line) => !/^#|^$/.test(line));
    assert.equal(context[0], '*');
    const allowed = context.slice(1).map((line) => line.replace(/^!/, ''));
    const used = new Set<string>();
    for (const stage of stages) {
      for (const { from, sources } of copies(stage)) {
        if (from !== undefined) {
          assert.ok(
            stages.some(({ name }) => name === from),
            `no stage ${from}`,
          );
          continue;
        }
        for (const source of sources) {
          used.add(source);
          assert.ok(existsSync(pathOf(source)), `${source} does not exist`);
          assert.ok(allowed.includes(source), `${source} is not in the context`);
        }
      }
    }
    assert.deepEqual(allowed.toSorted(), [...used].toSorted());
  });

  it('installs what the lock file says, to build with and not in the end', () => {
    const installs = stages.map(({ instructions }) =>
      instructions.filter(({ rest }) => rest.includes('npm ')).map(({ rest }) => rest),
    );
    assert.deepEqual(installs, [
      ['npm ci --ignore-scripts', 'npm run build && rm dist/cli/*.map'],
      [],
    ]);
  });

  it('brings the build and the command', () => {
    const fromStages = copies(final).flatMap(({ from, sources }) =>
      from === undefined ? [] : sources.map((source) => `${from}:${source}`),
    );
    // The packages are in the build.
    assert.deepEqual(fromStages, ['build:/build/dist']);
    const own = copies(final).flatMap(({ from, sources }) => (from === undefined ? sources : []));
    assert.ok(own.includes('bin') && own.includes('package.json'));
    assert.ok(inFinal('RUN').some((rest) => rest.includes('/opt/outrigger/bin/outrigger.js')));
  });

  it('runs as a user that Kubernetes can tell from root, and nothing is done after that', () => {
    const { instructions } = final;
    const at = instructions.findIndex(({ word }) => word === 'USER');
    assert.match(instructions[at]?.rest ?? '', /^[1-9]\d*:[1-9]\d*$/);
    const after = new Set(instructions.slice(at + 1).map(({ word }) => word));
    assert.deepEqual([...after].toSorted(), ['CMD', 'ENTRYPOINT', 'HEALTHCHECK']);
  });

  it('has an init that reaps and passes signals as its first process', () => {
    assert.deepEqual(lastJson('ENTRYPOINT'), ['tini', '--', 'outrigger']);
    assert.deepEqual(lastJson('CMD'), ['run']);
    assert.ok(inFinal('RUN').some((rest) => /apt-get install .*\btini\b/.test(rest)));
  });

  it('checks its health by the command itself', () => {
    assert.deepEqual(lastJson('HEALTHCHECK'), ['outrigger', 'status']);
    assert.match(inFinal('HEALTHCHECK')[0] ?? '', /--interval=\d+s --timeout=\d+s/);
  });
});
