// The command probe: the app is well when a program of the user's exits with 0.
import { spawn, type ChildProcess } from 'node:child_process';
import { messageOf } from '../../core/errors.ts';
import { failed, failedBy } from '../failure.ts';
import type { Probe, ProbeResult } from '../probe.ts';

export interface CommandProbeOptions {
  /** The program and its arguments; no shell looks at them. */
  readonly argv: readonly string[];
}

/** Of what the program writes, this much is kept for the cause; the rest is read and dropped. */
const outputBytesMax = 4096;

/**
 * The program gets the agent's environment and no input, and runs in a process group of its own. When it has exited, or the
 * signal aborts, what is left of the group is killed: a check leaves nothing running.
 */
export function commandProbe({ argv }: CommandProbeOptions): Probe {
  return {
    name: `command ${argv.join(' ')}`,
    run: (signal) => runOnce(argv, signal),
  };
}

function runOnce(argv: readonly string[], signal: AbortSignal): Promise<ProbeResult> {
  const [program = '', ...args] = argv;
  let child: ChildProcess;
  try {
    signal.throwIfAborted();
    child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return Promise.resolve(failedBy(error, signal));
  }
  const output = keepOutput(child);
  return new Promise((resolve) => {
    const settle = (result: ProbeResult): void => {
      signal.removeEventListener('abort', onAbort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(result);
    };
    const onAbort = (): void => {
      if (hasExited(child)) {
        // Somebody outside the group still holds the output open; the program itself has answered.
        settle(judge(child, output()));
        return;
      }
      killGroup(child);
      settle(failed(withOutput(messageOf(signal.reason), output())));
    };
    signal.addEventListener('abort', onAbort);
    child.on('error', (error) => {
      settle({ ...failedBy(error, signal), cause: `cannot run: ${error.message}` });
    });
    // The group's number cannot have been given to others yet: the program was reaped in this very turn.
    child.on('exit', () => {
      killGroup(child);
    });
    // Later than the exit: the output has been read to its end.
    child.on('close', () => {
      settle(judge(child, output()));
    });
  });
}

/** Reads both outputs to their ends and returns what was kept of them. */
function keepOutput(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      const room = outputBytesMax - kept.length;
      if (room > 0) kept = Buffer.concat([kept, chunk.subarray(0, room)]);
    });
    stream?.on('error', () => undefined);
  }
  return () => kept.toString('utf8').trim();
}

function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function judge({ exitCode, signalCode }: ChildProcess, output: string): ProbeResult {
  if (exitCode === 0) return { ok: true };
  const end = signalCode === null ? `exit code ${exitCode ?? 'unknown'}` : `ended by ${signalCode}`;
  return failed(withOutput(end, output));
}

function withOutput(cause: string, output: string): string {
  return output === '' ? cause : `${cause}: ${output}`;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
