import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../src/config/config.ts';
import { describeConfig } from '../../src/config/describe.ts';
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts';

function load(flags: Readonly<Record<string, unknown>>): Promise<LoadedConfig> {
  const environment = { HOME: '/home/x' };
  return loadConfig({ flags, environment, command: [], terminal: false });
}

async function registriesOf(...registry: readonly string[]): Promise<Config['registries']> {
  return (await load({ registry })).config.registries;
}

describe('registries', () => {
  it('may be several, each for registering, discovering or both', async () => {
    assert.deepEqual(
      await registriesOf(
        'eureka://h:8761/eureka?register=off',
        'redis://h?ttl=5s&discover=0&prefix=x',
        'file:?register=on',
      ),
      [
        { url: 'eureka://h:8761/eureka', registers: false, discovers: true },
        { url: 'redis://h?ttl=5s&prefix=x', registers: true, discovers: false },
        { url: 'file:', registers: true, discovers: true },
      ],
    );
  });

  it('keep parameters that are a driver’s own', async () => {
    const [only] = await registriesOf('k8s:?register=slice');
    assert.deepEqual(only, { url: 'k8s:?register=slice', registers: true, discovers: true });
  });

  it('are a list in a file, united unless it says otherwise', async () => {
    assert.equal((await load({})).config.combination, 'union');
    const { config } = await load({ registryMode: 'first-healthy' });
    assert.equal(config.combination, 'first-healthy');
  });

  it('may be several at one address', async () => {
    const urls = ['redis://h', 'redis://h/1', 'redis://h?prefix=a', 'redis://h?prefix=b'];
    assert.equal((await registriesOf(...urls)).length, 4);
  });

  it('are described as they are written', async () => {
    const shown = async (...registry: readonly string[]): Promise<unknown> => {
      const values = describeConfig(await load({ registry }));
      return values.find(({ path }) => path[0] === 'registry')?.value;
    };
    assert.equal(await shown('redis://:secret@h?register=off'), 'redis://:***@h?register=off');
    assert.deepEqual(await shown('file:', 'redis://h?ttl=1s&discover=off'), [
      'file:',
      'redis://h?ttl=1s&discover=off',
    ]);
  });

  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['file'], /"file" is no registry URL/],
    [['redis://h x'], /is no registry URL/],
    [['file:?register=off&discover=off'], /has both register and discover off/],
    [['file:?discover=off'], /all registries have discover=off/],
    [['file:', 'file:?register=off'], /file: is given twice/],
    [['file:///x', 'file:/x/?poll=1s&shared'], /file:\/x\/\?poll=1s&shared is given twice/],
    [['redis://h?prefix=a&ttl=5s', 'redis://:pw@h/?prefix=a'], /redis:.* is given twice/],
  ];
  for (const [registry, message] of refused) {
    it(`refuses ${registry.join(' ')}`, async () => {
      await assert.rejects(load({ registry }), { code: 'config_invalid', message });
    });
  }
});

describe('dns', () => {
  it('is off unless an address is given, and has a domain', async () => {
    assert.equal((await load({})).config.dns, undefined);
    const { config } = await load({ dns: '127.0.0.1:8600', dnsDomain: 'Service.Consul.' });
    assert.deepEqual(config.dns, {
      address: { host: '127.0.0.1', port: 8600 },
      domain: 'service.consul',
    });
    await assert.rejects(load({ dns: '127.0.0.1:4190' }), /127\.0\.0\.1:4190 is taken/);
  });
});
