// Refusals: the one line that each mistake is answered with.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigSources } from '../../src/config/load.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { home, load, loadFile } from './loading.ts';
import { temporaryFile } from './temporary-file.ts';

/** The one line that the sources are refused with; the directory of a temporary file is left out. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(!error.message.includes('\n'), error.message);
    return error.message.replace(/"?\S*outrigger-config-[^/\s]*\//, '');
  }
  return assert.fail('it was accepted');
}

describe('a refused flag or variable', () => {
  const one = { name: 'a', port: '80' };
  const names = 'allowed are letters, digits, ".", "_" and "-", at most 63';
  const places = 'PORT, HOST:PORT or the PATH of a unix socket, each with tcp: before it for TCP';
  const cases: readonly (readonly [ConfigSources['flags'], string])[] = [
    [{ port: '70000' }, '--port: "70000" is no port; allowed is a whole number from 1 to 65535'],
    [{ port: '0' }, '--port: "0" is no port; allowed is a whole number from 1 to 65535'],
    [{ port: '' }, '--port: an empty value is no port; allowed is a whole number from 1 to 65535'],
    [{ port: '80' }, '--port: needs the name of the service; add --name'],
    [{ name: 'a' }, '--name: needs the port of the app; add --port'],
    [{ name: 'My App' }, `--name: "My App" is no service name; ${names}; did you mean "my-app"?`],
    [{ ttl: '5' }, '--ttl: "5" has no unit; write 5s or 5ms'],
    [{ ttl: '5 s' }, '--ttl: "5 s" is no duration; write it as 250ms, 2s, 5m or 1h'],
    [{ ttl: '50ms' }, '--ttl: "50ms" is too short; at least 100ms is allowed'],
    [{ drainTimeout: '25h' }, '--drain-timeout: "25h" is too long; at most 24h is allowed'],
    [
      { ttl: '10s', heartbeat: '9s' },
      '--heartbeat: heartbeat must be at most half of ttl, but is 9s of 10s',
    ],
    [{ drainDelay: '25s' }, '--drain-delay: 25s is not shorter than the drain timeout of 25s'],
    [{ weight: '-1' }, '--weight: "-1" is no weight; allowed is a whole number from 0 to 1000'],
    [
      { healthRise: '1.5' },
      '--health-rise: "1.5" is no count; allowed is a whole number from 1 to 100',
    ],
    [
      { logLevel: 'wran' },
      '--log-level: "wran" is none of error, warn, info, debug; did you mean "warn"?',
    ],
    [
      { ...one, meta: ['openapi=' + 'x'.repeat(12_300)] },
      '--meta: tags and metadata have 12316 bytes as JSON; at most 12288 together are allowed',
    ],
    [{ workers: '0' }, '--workers: "0" is no number of workers; allowed is 1 to 64, or auto'],
    [{ workers: '65' }, '--workers: "65" is no number of workers; allowed is 1 to 64, or auto'],
    [{ workers: '1.5' }, '--workers: "1.5" is no number of workers; allowed is 1 to 64, or auto'],
    [{ passthrough: 'maybe' }, '--passthrough: "maybe" is neither true nor false'],
    [
      { listen: 'x:99999' },
      '--listen: "x:99999" is no address; write HOST:PORT or PORT, with a port from 0 to 65535',
    ],
    [{ advertise: '80' }, '--advertise: "80" is no address; write HOST or HOST:PORT'],
    [{ advertise: 'a:b' }, '--advertise: "a:b" is no address; write HOST or HOST:PORT'],
    [
      { registry: 'redis' },
      '--registry: "redis" is no registry URL; allowed is a URL such as file: or redis://host:6379',
    ],
    [
      { registry: 'redis://u:secret@h 1' },
      '--registry: "redis://u:***@h 1" is no registry URL; allowed is a URL such as file: or redis://host:6379',
    ],
    [{ upstream: ['7001'] }, `--upstream: "7001" is not SERVICE=PLACE; a place is ${places}`],
    [
      { upstream: ['a=99999'] },
      `--upstream: "a=99999" is no place to listen; allowed are ${places}, ports from 0 to 65535`,
    ],
    [
      { upstream: ['a b=1'] },
      `--upstream: "a b=1" has a name that is no service name; ${names}; did you mean "a-b"?`,
    ],
    [
      { upstream: [`a=/${'x'.repeat(107)}`] },
      `--upstream: "a=/${'x'.repeat(75)}… has a socket path of more than 107 bytes`,
    ],
    [{ upstream: ['a=4140'] }, '--upstream (a): 127.0.0.1:4140 is taken by listen'],
    [
      { upstream: ['a=./x.sock', 'b=x.sock'] },
      `--upstream (b): ${process.cwd()}/x.sock is taken by --upstream (a)`,
    ],
    [{ admin: '4140' }, '--admin: 127.0.0.1:4140 is taken by listen'],
    [
      { ...one, healthHttp: ['health'] },
      '--health-http: "health" is neither a path such as /health nor an http URL',
    ],
    [
      { ...one, healthTcp: ['nowhere'] },
      '--health-tcp: "nowhere" is no address; write HOST:PORT, or true for the port of the app',
    ],
    [
      { ...one, healthCmd: ["sh -c 'x"] },
      `--health-cmd: "sh -c 'x" is no command line (is a quote not closed?)`,
    ],
    [
      { ...one, healthGrpc: ['a/b'] },
      '--health-grpc: "a/b" is no gRPC service name; write one, or true for the server as a whole',
    ],
    [{ ...one, meta: ['team'] }, '--meta: a list has "team", which is not KEY=VALUE'],
    [
      { ...one, tags: ['a b'] },
      '--tag: "a b" is no tag; allowed is any text without blanks and commas, at most 255',
    ],
    [{ ...one, tags: Array(65).fill('a') }, '--tag: has more than 64 entries'],
    [{ suffixes: ['.a b'] }, '--suffix: ".a b" is no host suffix; write it as .internal'],
    [{ ownHosts: ['a:1'] }, '--own-host: "a:1" is no host name'],
    [
      { ...one, id: 'a/b' },
      '--id: "a/b" is no instance id; allowed is letters, digits and any of ._:%@+~- after the first, at most 255',
    ],
  ];
  for (const [flags, message] of cases) {
    it(message, async () => {
      assert.equal(await refusal(load({ flags })), message);
    });
  }

  it('names the variable', async () => {
    const environment = { ...home, OUTRIGGER_PORT: 'http' };
    assert.equal(
      await refusal(load({ environment })),
      'OUTRIGGER_PORT: "http" is no port; allowed is a whole number from 1 to 65535',
    );
  });
});

describe('a refused file', () => {
  const cases: readonly (readonly [text: string, message: string])[] = [
    ['prot: 80', 'a.yaml: prot: unknown key; did you mean "port"?'],
    ['defaults: { xyz: 1 }', 'a.yaml: defaults.xyz: unknown key; allowed are balance, '],
    ['config: x', 'a.yaml: config: unknown key'],
    [
      'services: [{ name: a, prot: 80 }]',
      'a.yaml: services[0].prot: unknown key; did you mean "port"?',
    ],
    ['services: [{ name: a }]', 'a.yaml: services[0].port: is missing'],
    ['services: {}', 'a.yaml: services: a mapping is no list of services'],
    ['services: [7]', 'a.yaml: services[0]: 7 is no mapping of keys to values'],
    ['- a', 'a.yaml: a list is no mapping of keys to values'],
    ['port: 70000', 'a.yaml: port: 70000 is no port; allowed is a whole number from 1 to 65535'],
    ['port:', 'a.yaml: port: an empty value is no port;'],
    ['ttl: 5', 'a.yaml: ttl: 5 has no unit; write 5s or 5ms'],
    ['serviceVersion: 1.10', 'a.yaml: serviceVersion: 1.1 is no text; put it in quotes'],
    [
      'meta: { n: 1 }',
      'a.yaml: meta: a mapping has the key "n" with a value that is no text; put it in quotes',
    ],
    [
      'services: [{ name: a, port: 1 }, { name: a, port: 70000 }]',
      'a.yaml: services[1].port: 70000 is no port;',
    ],
    [
      'services: [{ name: a, port: 1, id: x }, { name: b, port: 1, id: x }]',
      'a.yaml: services[1].id: "x" is the id of services[0] already',
    ],
    [
      'services: [{ name: a, port: 1 }, { name: A, port: 1 }]',
      'a.yaml: services[1].port: "a" at port 1 is services[0] already',
    ],
    [
      `services: [{ name: a, port: 1, meta: { x: ${'y'.repeat(12_300)} } }]`,
      'a.yaml: services[0].meta: tags and metadata have 12310 bytes as JSON; at most 12288 ',
    ],
    [
      'name: a\nservices: [{ name: b, port: 1 }]',
      'a.yaml: name: cannot be combined with a list of services; write it in a.yaml: services',
    ],
    [
      'advertise: h:1\nservices: [{ name: a, port: 1 }, { name: b, port: 2 }]',
      'a.yaml: advertise: several services cannot share one port',
    ],
    [
      'upstreams: { a: { retrys: 1 } }',
      'a.yaml: upstreams.a.retrys: unknown key; did you mean "retries"?',
    ],
    ['upstreams: { a b: {} }', 'a.yaml: upstreams."a b": "a b" is no service name;'],
    ['upstreams: { constructor: {} }', 'a.yaml: upstreams: has a reserved key;'],
    [
      'upstreams: { a: { listen: x } }',
      'a.yaml: upstreams.a.listen[0]: "x" is no place to listen;',
    ],
    [
      'upstreams: { a: { listen: 4140 } }',
      'a.yaml: upstreams.a.listen (a): 127.0.0.1:4140 is taken by listen',
    ],
    [
      'upstreams: { a: { replayMax: 5 } }',
      'a.yaml: upstreams.a.replayMax: 5 has no unit; write 5KiB or 5B',
    ],
    [
      'upstreams: { a: { replayMax: 5kb } }',
      'a.yaml: upstreams.a.replayMax: "5kb" is no size; write it as 512B, 64KiB or 1MiB',
    ],
    [
      'upstreams: { a: { replayMax: 1GiB } }',
      'a.yaml: upstreams.a.replayMax: "1GiB" is too large; at most 16MiB is allowed',
    ],
    [
      'upstreams: { a: { retryRatio: -1 } }',
      'a.yaml: upstreams.a.retryRatio: -1 is no ratio; allowed is a number from 0 to 10',
    ],
    [
      'upstreams: { a: { ejectionMin: 2m } }',
      'a.yaml: upstreams.a: ejectionMin of 2m is longer than ejectionMax of 1m',
    ],
    [
      'name: a\nport: 1\nhealthHttp: { target: /x, body: y }',
      'a.yaml: healthHttp[0].body: unknown key; allowed are target, headers, expectBody, expectHeaders',
    ],
    ['name: [a\nport: 1', 'a.yaml:2:'],
    ['port: 1\nport: 2', 'a.yaml:2:1: invalid YAML: Map keys must be unique'],
  ];
  for (const [text, message] of cases) {
    it(message, async (t) => {
      const actual = await refusal(loadFile(t, text));
      const plain = actual.replace(/\S*outrigger-config-[^/\s]*\//g, '');
      assert.equal(plain.slice(0, message.length), message, plain);
    });
  }

  it('names flags that contradict it', async (t) => {
    const promise = loadFile(t, 'services: [{ name: b, port: 1 }]', { flags: { name: 'a' } });
    assert.match(await refusal(promise), /^--name: cannot be combined with a list of services/);
  });

  it('does not exist, and a neighbour has nearly its name', async (t) => {
    const path = await temporaryFile(t, 'outrigger.yaml', '');
    const promise = load({ flags: { config: path.replace('.yaml', '.yml') } });
    assert.match(
      await refusal(promise),
      /^--config: outrigger\.yml" does not exist; did you mean "outrigger\.yaml"\?$/,
    );
  });

  it('is a directory', async () => {
    const environment = { ...home, OUTRIGGER_CONFIG: '/' };
    assert.equal(await refusal(load({ environment })), 'OUTRIGGER_CONFIG: "/" is a directory');
  });

  it('is no JSON', async (t) => {
    const config = await temporaryFile(t, 'a.json', '{\n  "name": "a",\n}');
    const message = await refusal(load({ flags: { config } }));
    assert.match(message, /^a\.json(:3:1)?: invalid JSON: /);
  });
});
