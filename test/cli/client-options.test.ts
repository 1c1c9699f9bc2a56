import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { registerDrain } from '../../src/cli/commands/drain.ts';
import { registerExplain } from '../../src/cli/commands/explain.ts';
import { registerInstances } from '../../src/cli/commands/instances.ts';
import { registerServices } from '../../src/cli/commands/services.ts';
import { registerStatus } from '../../src/cli/commands/status.ts';
import { registerWait } from '../../src/cli/commands/wait.ts';

function program(): Command {
  const made = new Command('outrigger');
  registerServices(made);
  registerInstances(made);
  registerExplain(made);
  registerWait(made);
  registerStatus(made);
  registerDrain(made);
  return made;
}

const commands = [
  ['services'],
  ['instances', 'payments'],
  ['explain', 'payments', '--tag', 'v2'],
  ['wait', 'payments', 'orders', '--timeout', '0'],
  ['status', '--json'],
  ['status', '--ready'],
  ['drain', '--wait'],
];

describe('the client commands', () => {
  it('ask the agent that --admin names', async () => {
    for (const command of commands) {
      const argv = [...command, '--admin', '127.0.0.1:1'];
      await assert.rejects(
        program().parseAsync(argv, { from: 'user' }),
        /no agent answers at http:\/\/127\.0\.0\.1:1;/,
        command.join(' '),
      );
    }
  });

  it('ask the agent that OUTRIGGER_ADMIN names, also as the URL that a supervised app is given', async () => {
    const before = process.env['OUTRIGGER_ADMIN'];
    process.env['OUTRIGGER_ADMIN'] = 'http://127.0.0.1:2';
    try {
      await assert.rejects(
        program().parseAsync(['status'], { from: 'user' }),
        /no agent answers at http:\/\/127\.0\.0\.1:2;/,
      );
    } finally {
      if (before === undefined) delete process.env['OUTRIGGER_ADMIN'];
      else process.env['OUTRIGGER_ADMIN'] = before;
    }
  });

  it('open the registry that --registry names', async () => {
    for (const command of [['services'], ['instances', 'payments']]) {
      const argv = [...command, '--registry', 'nonsense://x'];
      const pending = program().parseAsync(argv, { from: 'user' });
      await assert.rejects(pending, { name: 'ConfigError', message: /unknown scheme "nonsense:"/ });
    }
  });
});
