// Waiting until other services can be called, for `--wait-for`.
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import { untilUpstream } from '../upstream/until.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Upstreams } from '../upstream/upstreams.ts';

interface Deps {
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often a wait that lasts says what it waits for. */
const reminderMs = 15_000;

/** Resolves when each service has an instance in rotation; rejects when the signal aborts. */
export async function untilAvailable(
  deps: Deps,
  services: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(services.map((service) => untilOneIsAvailable(deps, service, signal)));
}

async function untilOneIsAvailable(
  deps: Deps,
  service: string,
  signal: AbortSignal,
): Promise<void> {
  const { upstreams, clock, logger } = deps;
  let reminder: Timer | undefined;
  const remind = (): void => {
    logger.info({ service }, 'waiting for a service before the app is started');
    reminder = clock.after(reminderMs, remind);
  };
  remind();
  try {
    const upstream = upstreams.get(service);
    if (upstream !== undefined) await untilUpstream(upstream, hasOneInRotation, signal);
  } finally {
    reminder?.cancel();
  }
}

function hasOneInRotation(upstream: Upstream): boolean {
  return upstream.candidates(undefined).members.length > 0;
}
