// Several commands that Redis executes together or not at all.
import { RegistryError } from '../../../core/errors.ts';
import { toRegistryError } from '../redis/redis-errors.ts';
import type { RedisPort } from '../redis/redis-port.ts';

/** Name and arguments. */
export type Command = readonly [string, ...string[]];

/** The answers in the order of the commands. All are sent in one go, so that nothing else comes between them. */
export async function transact(
  port: RedisPort,
  commands: readonly Command[],
): Promise<readonly unknown[]> {
  const all: readonly Command[] = [['MULTI'], ...commands, ['EXEC']];
  const replies = await Promise.allSettled(all.map(([name, ...args]) => port.command(name, args)));
  // The first refusal names the cause; what follows only says that there was one.
  const refused = replies.find((reply) => reply.status === 'rejected');
  if (refused !== undefined) throw toRegistryError(refused.reason);
  const last = replies.at(-1);
  const answers: unknown = last?.status === 'fulfilled' ? last.value : undefined;
  if (!Array.isArray(answers)) {
    throw new RegistryError('registry_invalid', 'redis: EXEC answered nonsense');
  }
  const failed: unknown = answers.find((answer) => answer instanceof Error);
  if (failed !== undefined) throw toRegistryError(failed);
  return answers as readonly unknown[];
}
