// The program: from the arguments to the exit code.
import { CommanderError } from 'commander';
import { ConfigError, OutriggerError, messageOf } from '../core/errors.ts';
import { runProgram } from './program.ts';
import { onWriteFailed } from './stdout.ts';

const usageExitCode = 2;
const failureExitCode = 1;

/**
 * Runs the command line and sets the exit code: 0 for success, 1 for a failure, 2 for bad usage or configuration. A failure is
 * said in one line on stderr. Never rejects.
 */
export async function main(argv: readonly string[]): Promise<void> {
  process.stderr.on('error', () => undefined);
  onWriteFailed((error) => {
    process.exitCode = report(error);
  });
  try {
    await runProgram(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return reportUsage(error);
  if (error instanceof OutriggerError) say(error.message);
  else say(`internal error: ${messageOf(error)}`);
  return error instanceof ConfigError ? usageExitCode : failureExitCode;
}

/** Help and version were printed already. */
function reportUsage({ code, exitCode, message }: CommanderError): number {
  if (exitCode === 0) return 0;
  if (code !== 'commander.help') {
    say(
      message.replace(/^error: /, '').replace(/\s*\(Did you mean (.+)\?\)$/, '; did you mean $1?'),
    );
  }
  return usageExitCode;
}

function say(message: string): void {
  process.stderr.write(`outrigger: ${message.replace(/\s*[\r\n]+\s*/g, ' ')}\n`);
}
