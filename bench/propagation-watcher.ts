// The other agent of the propagation benchmark: has the service in use, and says when its choice of instances changes.
import { systemClock as clock } from '../src/core/clock.ts';
import { silentLogger as logger } from '../src/core/logger.ts';
import { systemRandom as random } from '../src/core/random.ts';
import { openDriver } from '../src/registry/open.ts';
import { Registry } from '../src/registry/registry.ts';
import { defaultPolicy } from '../src/upstream/policy.ts';
import { tcpProber as prober } from '../src/upstream/prober.ts';
import { Upstreams } from '../src/upstream/upstreams.ts';

export interface Sighting {
  readonly id: string;
  /** It may be chosen from now on, or no longer. */
  readonly there: boolean;
  readonly atNs: string;
}

const [url = 'file:'] = process.argv.slice(2);
const driver = await openDriver(url, { clock, random, logger });
const source = new Registry({ driver, clock, random, logger });
const upstreams = new Upstreams(
  { source, clock, random, logger, prober },
  { policies: {}, defaultPolicy },
);
const upstream = upstreams.get('bench');
let before = new Set<string>();

function tellChanges(): void {
  const atNs = String(process.hrtime.bigint());
  const members = upstream?.candidates(undefined).members ?? [];
  const now = new Set(members.map(({ instance }) => instance.id));
  const tell = (id: string, there: boolean): void => {
    process.send?.({ id, there, atNs } satisfies Sighting);
  };
  for (const id of now) if (!before.has(id)) tell(id, true);
  for (const id of before) if (!now.has(id)) tell(id, false);
  before = now;
}

upstream?.onChange(tellChanges);
tellChanges();
