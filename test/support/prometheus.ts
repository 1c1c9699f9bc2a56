// A strict reader of Prometheus' text format 0.0.4, for tests.
import assert from 'node:assert/strict';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

/**
 * Fails on anything that a scraper may refuse: a line that is neither comment nor sample, a sample outside its family, a
 * family without HELP and TYPE or given twice, a series given twice, a bad escape, a missing newline at the end.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  assert.ok(text.endsWith('\n'), 'the text ends with a newline');
  const families = new Map<string, Family & { samples: Sample[] }>();
  const series = new Set<string>();
  let helped = '';
  let family: (Family & { samples: Sample[] }) | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) (\S.*)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      helped = help[1] ?? '';
    } else if (type !== null) {
      const name = type[1] ?? '';
      assert.equal(name, helped, `HELP comes before TYPE of ${name}`);
      assert.ok(!families.has(name), `${name} is one family`);
      family = { name, type: type[2] ?? '', samples: [] };
      families.set(name, family);
    } else {
      const sample = parseSample(line);
      assert.ok(family !== undefined && belongs(sample.name, family), `${line} is in its family`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      assert.ok(!series.has(key), `${key} is given once`);
      series.add(key);
      family.samples.push(sample);
    }
  }
  return families;
}

function belongs(name: string, { name: family, type }: Family): boolean {
  if (type !== 'histogram') return name === family;
  return ['_bucket', '_sum', '_count'].some((suffix) => name === family + suffix);
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line);
  assert.ok(match !== null, `a sample: ${line}`);
  return { name: match[1] ?? '', labels: parseLabels(match[2] ?? ''), value: Number(match[3]) };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)/y;
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text);
    assert.ok(match !== null, `labels: ${text}`);
    const [, name = '', escaped = ''] = match;
    assert.ok(!(name in labels), `label ${name} is given once`);
    labels[name] = escaped.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}
