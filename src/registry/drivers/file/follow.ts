// Following a service: hints tell when to look, the poll makes sure.
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import type { FollowSink, Reading } from '../../driver.ts';
import { Alarm } from './alarm.ts';
import { Hints } from './hints.ts';
import type { Layout } from './layout.ts';
import type { Look, ServiceView } from './service-view.ts';

interface FollowDeps {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly view: ServiceView;
  readonly sink: FollowSink;
}

const pollMsPushed = 2000;
const pollMsUnpushed = 500;

/** Hints that come within this time are one look. */
const debounceMs = 5;

/** Heartbeats are looked at in groups, not each at the very moment when it may be too old. */
const doubtStepMs = 250;

/**
 * File systems where a change by another host or container is not pushed: NFS, CIFS, SMB2, overlay, FUSE, 9P, virtiofs
 * (the magic numbers of statfs(2)).
 */
const unpushedFileSystems: ReadonlySet<number> = new Set([
  0x6969, 0xff534d42, 0xfe534d42, 0x794c7630, 0x65735546, 0x01021997, 0x6a656a63,
]);

/** Tells the sink of changes after `from` until the signal aborts. Rejects when the directory cannot be read. */
export async function followService(
  deps: FollowDeps,
  options: { readonly from: Reading; readonly pollMs: number | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { clock, layout, view, sink } = deps;
  const alarm = new Alarm(clock);
  const hints = new Hints(layout, view.service, () => alarm.ring());
  const onAbort = (): void => alarm.ring();
  signal.addEventListener('abort', onAbort);
  try {
    await layout.ensure();
    const isLocal = !unpushedFileSystems.has((await statfs(layout.directory)).type);
    let version = options.from.version;
    let nextPollAtMs = -Infinity;
    while (!signal.aborted) {
      const startMs = clock.nowMs();
      const isPoll = startMs >= nextPollAtMs;
      if (isPoll || hints.isUncertain) await hints.attach();
      if (isPoll) {
        const isPushed = isLocal && hints.isPushed;
        nextPollAtMs = startMs + (options.pollMs ?? (isPushed ? pollMsPushed : pollMsUnpushed));
      }
      const reading = await view.refresh(nextLook(hints, isPoll));
      // The signal may have aborted during the look, which the loop's condition hides from the type checker.
      if ((signal as { readonly aborted: boolean }).aborted) return;
      if (reading.version === version) sink.confirmed();
      else sink.changed(reading);
      version = reading.version;
      await alarm.waitUntil(nextLookAtMs(view, startMs, nextPollAtMs));
      // What comes in one burst, such as a deploy, is one look.
      await pauseUntil(startMs + debounceMs, clock);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    hints.close();
  }
}

function nextLook(hints: Hints, isPoll: boolean): Look {
  const hinted = hints.take();
  const isDoubt = hinted !== 'all' && hinted.size === 0;
  return { files: isPoll || isDoubt ? 'all' : hinted, processes: isPoll };
}

function nextLookAtMs(view: ServiceView, lastLookAtMs: number, nextPollAtMs: number): number {
  return Math.min(nextPollAtMs, Math.max(view.nextDoubtMs(), lastLookAtMs + doubtStepMs));
}

async function pauseUntil(atMs: number, clock: Clock): Promise<void> {
  const delayMs = atMs - clock.nowMs();
  if (delayMs > 0) await clock.sleep(delayMs);
}
