// Asking several servers that know the same thing, without waiting long for one that is silent.
import type { Clock } from '../../../core/clock.ts';
import { toRegistryError } from './redis-errors.ts';

/**
 * The first answer. Asks one after the other: the next as soon as one fails, or has not answered after `patienceMs`; it is
 * then still waited for. Rejects with a RegistryError, the last one's, when all have failed. Each question must end by itself.
 */
export async function firstAnswer<C, A>(
  clock: Clock,
  candidates: readonly C[],
  ask: (candidate: C) => Promise<A>,
  patienceMs: number,
): Promise<A> {
  const answers: Promise<A>[] = [];
  for (const candidate of candidates) {
    const answer = ask(candidate);
    answers.push(answer);
    const first = Promise.any(answers);
    const answered = await Promise.race([
      first.then(
        () => true,
        () => false,
      ),
      isFailedOrSlow(clock, answer, patienceMs),
    ]);
    if (answered) return first;
  }
  return Promise.any(answers).catch((error: unknown) => {
    const failures: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    throw toRegistryError(failures.at(-1));
  });
}

/** Resolves with false when the answer is a failure or slow. */
function isFailedOrSlow(
  clock: Clock,
  answer: Promise<unknown>,
  patienceMs: number,
): Promise<false> {
  return new Promise((resolve) => {
    const timer = clock.after(patienceMs, () => {
      resolve(false);
    });
    answer
      .catch(() => {
        resolve(false);
      })
      .finally(() => {
        timer.cancel();
      });
  });
}
