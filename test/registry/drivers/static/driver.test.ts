import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openStatic } from '../../../../src/registry/drivers/static/driver.ts';

const signal = AbortSignal.timeout(10_000);
const open = (list: string): ReturnType<typeof openStatic> => openStatic(`static:${list}`);

describe('the static registry', () => {
  it('has the services and instances of its URL, each once', async () => {
    const driver = open('payments=10.0.0.1:80,10.0.0.2:80,10.0.0.1:80; Orders=[2001:db8::1]:8080;');
    assert.deepEqual(await driver.names(signal), ['payments', 'orders']);
    const { instances, malformed } = await driver.read('payments', signal);
    assert.equal(malformed, 0);
    assert.deepEqual(
      instances.map(({ id, host, port }) => [id, host, port]),
      [
        ['10.0.0.1:80', '10.0.0.1', 80],
        ['10.0.0.2:80', '10.0.0.2', 80],
      ],
    );
    assert.equal((await driver.read('orders', signal)).instances[0]?.host, '2001:db8::1');
    assert.deepEqual((await driver.read('nobody', signal)).instances, []);
  });

  it('follows until it is told to stop', async () => {
    const driver = open('a=h:1');
    const following = new AbortController();
    const sink = { changed: () => assert.fail(), confirmed: () => assert.fail() };
    const done = driver.follow('a', await driver.read('a', signal), sink, following.signal);
    following.abort();
    await done;
    await driver.follow('a', await driver.read('a', signal), sink, AbortSignal.abort());
  });

  it('registers nothing, and says so', () => {
    assert.equal(open('a=h:1').capabilities.registers, false);
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /no service is given/],
    ['payments', /"payments" is not SERVICE=HOST:PORT/],
    ['-x=h:1', /"-x=h:1" is not SERVICE=HOST:PORT/],
    ['a=h:1;A=h:2', /"a" is given twice/],
    ['a=h', /"h" of a is not HOST:PORT/],
    ['a=', /"" of a is not HOST:PORT/],
    ['a=:80', /":80" of a is not HOST:PORT/],
    ['a=h:0', /"h:0" of a is not HOST:PORT/],
    ['a=h h:80', /"h h:80" of a is not HOST:PORT/],
  ];
  for (const [list, message] of refused) {
    it(`refuses "static:${list}"`, () => {
      assert.throws(() => open(list), { code: 'config_invalid', message });
    });
  }
});
