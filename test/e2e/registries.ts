// The registries that every end-to-end promise is shown on.
import type { TestContext } from 'node:test';
import { requireRedis, startRedis } from '../servers/redis.ts';
import type { Fleet } from './agent-process.ts';

export interface RegistryUnderTest {
  readonly name: string;
  /** Why it cannot be tested here, if so. */
  readonly skip: string | undefined;
  /** The URL of an empty registry, ended with the test. */
  open(t: TestContext, fleet: Fleet): Promise<string>;
}

export const registries: readonly RegistryUnderTest[] = [
  { name: 'file:', skip: undefined, open: (_t, fleet) => Promise.resolve(fleet.fileRegistry) },
  {
    name: 'redis:',
    skip: requireRedis(),
    open: async (t) => {
      const redis = await startRedis();
      t.after(() => redis.stop());
      return redis.url;
    },
  },
];
