// Texts: sizes, durations and command lines are read as they are written; secrets are not shown.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { joinCommandLine, splitCommandLine } from '../../src/config/command-line.ts';
import { redactText } from '../../src/config/redact.ts';
import { formatSizeBytes, parseSizeBytes } from '../../src/config/sizes.ts';
import { duration, writeDuration } from '../../src/config/values.ts';
import { read } from '../../src/config/strict.ts';

describe('sizes', () => {
  it('are read as they are written', () => {
    const bytes = fc.oneof(
      fc.nat(),
      fc.nat(10_000).map((n) => n * 1024),
      fc.nat(1000).map((n) => n * 1_048_576),
    );
    fc.assert(fc.property(bytes, (n) => parseSizeBytes(formatSizeBytes(n)) === n));
  });

  it('need a unit that exists', () => {
    assert.equal(parseSizeBytes('64KiB'), 65_536);
    assert.equal(formatSizeBytes(65_536), '64KiB');
    for (const text of ['64', '64kb', '-1B', '1.5KiB', '']) {
      assert.equal(parseSizeBytes(text), undefined, text);
    }
  });
});

describe('durations', () => {
  it('are read as they are written', () => {
    const schema = duration(0);
    fc.assert(
      fc.property(fc.nat(86_400_000), (n) => {
        assert.deepEqual(read(schema, writeDuration(n)), { value: n });
      }),
    );
  });
});

describe('command lines', () => {
  it('are split as they are joined', () => {
    const argv = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 });
    fc.assert(
      fc.property(argv, (given) => {
        assert.deepEqual(splitCommandLine(joinCommandLine(given)), given);
      }),
    );
  });

  it('know quotes and escapes, but no shell', () => {
    const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
      [' a  b\tc\n', ['a', 'b', 'c']],
      [`'a "b" \\'x`, ['a "b" \\x']],
      [`"a \\"b\\" \\\\ \\n"`, ['a "b" \\ \\n']],
      ['a\\ b ""', ['a b', '']],
      ['$HOME | * > x', ['$HOME', '|', '*', '>', 'x']],
      [`'a`, undefined],
      ['"a\\"', undefined],
      ['a\\', undefined],
      ['  ', undefined],
    ];
    for (const [text, argv] of cases) assert.deepEqual(splitCommandLine(text), argv, text);
  });
});

describe('redactText', () => {
  it('hides what looks like a secret and nothing else', () => {
    const cases = {
      'redis://user:p@ss/w@h:1/0': 'redis://user:***@h:1/0',
      'https://token@h/x': 'https://***@h/x',
      'failed: "redis://:x@h" and redis://:y@i': 'failed: "redis://:***@h" and redis://:***@i',
      'http://h/?a=1&password=x&b=2': 'http://h/?a=1&password=***&b=2',
      'curl -H "Authorization: Bearer x" u': 'curl -H "Authorization: ***" u',
      'check --password x --api-key=y z': 'check --password *** --api-key=*** z',
      'me@example.com at 10.0.0.1:80': 'me@example.com at 10.0.0.1:80',
      password: 'password',
    };
    for (const [text, redacted] of Object.entries(cases)) assert.equal(redactText(text), redacted);
  });
});
