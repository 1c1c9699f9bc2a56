// `outrigger run`: the agent, with a command the app beside it as well.
import type { Command } from 'commander';
import { buildAgent } from '../../agent/build.ts';
import { loadConfig, type ConfigSources } from '../../config/load.ts';
import { createLogger } from '../logger.ts';
import { runToEnd } from '../lifetime.ts';
import { addSettingFlags, configSources } from '../settings-flags.ts';
import { workerProgram } from '../worker-program.ts';

export function registerRun(program: Command, appCommand: readonly string[]): void {
  const command = program
    .command('run')
    .description('Run the agent. With a command after -- it starts the app and ends with it.')
    .usage('[flags] [-- COMMAND ARG...]')
    .allowExcessArguments();
  addSettingFlags(command);
  command.addHelpText('after', examples).action(() => run(configSources(command, appCommand)));
}

async function run(sources: ConfigSources): Promise<void> {
  const { config, warnings } = await loadConfig(sources);
  const color = process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  const logger = createLogger(config.log, color);
  for (const warning of warnings) logger.warn({ warning }, 'check the configuration');
  const agent = await buildAgent(config, { logger, environment: process.env, workerProgram });
  try {
    await runToEnd(agent, logger, { terminal: sources.terminal });
  } catch (error) {
    const { explainFailedStart } = await import('../taken-address.ts');
    throw await explainFailedStart(error, config);
  }
}

const examples = `
Every flag is also a variable (--service-version is OUTRIGGER_SERVICE_VERSION) and a key of the
configuration file (serviceVersion). A flag beats a variable, a variable the file. Times are 250ms, 2s, 5m.

Examples:
  register the app that listens on port 8080 and start it:
  $ outrigger run --name payments --port 8080 --health-http /health -- node app.js

  only call others, through a Redis registry and a port of its own for one service:
  $ outrigger run --registry redis://localhost:6379 --upstream orders=7001

  several services and policies from a file:
  $ outrigger run --config outrigger.yaml`;
