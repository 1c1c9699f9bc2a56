// The instances of the footprint benchmark: one that answers, under the tag `real`, and others that nobody calls.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock as clock } from '../src/core/clock.ts';
import type { Instance } from '../src/core/instance.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import { openDriver } from '../src/registry/open.ts';

/** Longer than the benchmark: heartbeats would disturb it. */
const ttlMs = 3_600_000;

// However the benchmark ended.
process.once('disconnect', () => process.exit());

const [url = 'file:', count = '1000'] = process.argv.slice(2);
const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const driver = await openDriver(url, { clock, random, logger });
for (let number = 0; number < Number(count); number++) {
  await driver.acquire(instance(number), ttlMs, AbortSignal.timeout(10_000));
}
process.send?.('registered');

function instance(number: number): Instance {
  const isReal = number === 0;
  const host = isReal ? '127.0.0.1' : `198.18.${number >> 8}.${number & 255}`;
  return {
    service: 'fleet',
    id: `fleet-${host}-${port}-${clock.wallMs().toString(36)}`,
    host,
    port,
    weight: 1,
    tags: isReal ? ['real', 'v2'] : ['v2'],
    meta: { commit: 'f3c1a9e', owner: 'payments' },
    version: '2.4.1',
    zone: 'eu-west-1a',
    startedAtMs: clock.wallMs(),
  };
}
