// Registry URLs: typed parameters, errors that help, and no secret in any text.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../../src/core/errors.ts';
import { parseParameters, parseUrl, redactUrl } from '../../src/registry/url.ts';

const known = { ttl: 'duration', prefix: 'text', insecure: 'flag', db: 'number' } as const;

function refusal(text: string): string {
  try {
    parseParameters(parseUrl(text), known);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return assert.fail(`accepted ${text}`);
}

describe('parseParameters', () => {
  it('reads each kind', () => {
    const url = parseUrl('redis://h:1/?ttl=2s&prefix=sd&insecure&db=3');
    const parameters = parseParameters(url, known);
    assert.deepEqual(parameters, { ttl: 2000, prefix: 'sd', insecure: true, db: 3 });
    assert.deepEqual(parseParameters(parseUrl('file:?insecure=0'), known), { insecure: false });
    assert.deepEqual(parseParameters(parseUrl('file:'), known), {});
  });

  it('names the nearest of an unknown parameter, and all when none is near', () => {
    assert.match(refusal('file:?tll=2s'), /"tll" is unknown; did you mean "ttl"\?/);
    assert.match(refusal('file:?banana=1'), /"banana" is unknown; there are ttl, prefix/);
    assert.match(refusal('file:?__proto__=1'), /is unknown/);
  });

  it('refuses a value that is not of its kind, and a parameter given twice', () => {
    assert.match(refusal('file:?ttl=2'), /"ttl" must be a duration/);
    assert.match(refusal('file:?ttl=25h'), /"ttl" must be a duration .*, at most 24h/);
    assert.match(refusal('file:?insecure=constructor'), /"insecure" must be 1 or 0/);
    assert.match(refusal('file:?db=-1'), /"db" must be a number/);
    assert.match(refusal('file:?prefix='), /"prefix" must be a text/);
    assert.match(refusal('file:?ttl=1s&ttl=2s'), /"ttl" is given twice/);
  });

  it('shows no password in its errors', () => {
    assert.doesNotMatch(refusal('redis://u:geheim@h:1/?tll=2s'), /geheim/);
    assert.doesNotMatch(refusal('redis://u:geheim@h:not-a-port'), /geheim/);
  });
});

describe('redactUrl', () => {
  it('hides passwords and tokens and nothing else', () => {
    const cases = [
      ['redis://h:6379/0', 'redis://h:6379/0'],
      ['redis://user:pw@h:6379/0', 'redis://user:***@h:6379/0'],
      ['redis://:p@ss/w@h:6379', 'redis://:***@h:6379'],
      ['consul://token@h:8500', 'consul://***@h:8500'],
      ['file:///home/me@work/dir', 'file:///home/me@work/dir'],
      ['x://h?password=a&b=c', 'x://h?password=***&b=c'],
      ['x://h?sentinel-password=a', 'x://h?sentinel-password=***'],
      ['x://h?password-file=/a', 'x://h?password-file=/a'],
    ];
    for (const [text, redacted] of cases) assert.equal(redactUrl(text ?? ''), redacted);
  });
});
