// The commands: one line each, loaded only when used.
import { Command } from 'commander';
import { ConfigError } from '../core/errors.ts';
import { nearest } from '../core/service-name.ts';
import { readVersion } from '../core/version.ts';

/** Adds the command to the program. `appCommand` is what came after `--`. */
type Register = (program: Command, appCommand: readonly string[]) => void;

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Register>;
  /** What comes after `--` is another program's command line. */
  readonly takesAppCommand?: true;
}

// prettier-ignore
const commands: readonly CommandEntry[] = [
  { name: 'run', summary: 'run the agent, and the app beside it', takesAppCommand: true, load: async () => (await import('./commands/run.ts')).registerRun },
  { name: 'check', summary: 'validate the configuration and print it resolved', takesAppCommand: true, load: async () => (await import('./commands/check.ts')).registerCheck },
  { name: 'services', summary: 'list the services that the registry knows', load: async () => (await import('./commands/services.ts')).registerServices },
  { name: 'instances', summary: 'list the instances of a service', load: async () => (await import('./commands/instances.ts')).registerInstances },
  { name: 'explain', summary: 'say which instance would be called, and why not the others', load: async () => (await import('./commands/explain.ts')).registerExplain },
  { name: 'wait', summary: 'wait until services can be called', load: async () => (await import('./commands/wait.ts')).registerWait },
  { name: 'status', summary: 'show the state of the running agent', load: async () => (await import('./commands/status.ts')).registerStatus },
  { name: 'drain', summary: 'make the running agent stop gracefully', load: async () => (await import('./commands/drain.ts')).registerDrain },
];

const helpFlags = ['--help', '-h'];
const versionFlags = ['--version', '-V'];

/** Runs the command that the arguments name. Rejects with a ConfigError or a CommanderError for bad usage. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const entry = commandOf(argv[0] === 'help' ? argv[1] : argv[0]);
  const at = entry?.takesAppCommand === true ? argv.indexOf('--') : -1;
  const ownArguments = at === -1 ? argv : argv.slice(0, at);
  const appCommand = at === -1 ? [] : argv.slice(at + 1);
  const program = emptyProgram();
  for (const { name, summary, load } of commands) {
    if (name === entry?.name) (await load())(program, appCommand);
    else program.command(name).description(summary);
  }
  await program.parseAsync(ownArguments, { from: 'user' });
}

/** The command of that name; none for help and the version. */
function commandOf(name: string | undefined): CommandEntry | undefined {
  if (name === undefined || [...helpFlags, ...versionFlags].includes(name)) return undefined;
  const entry = commands.find((one) => one.name === name);
  if (entry !== undefined) return entry;
  if (name.startsWith('-')) {
    throw new ConfigError(`${name}: flags come after the command, as in "outrigger run ${name}"`);
  }
  const names = commands.map((one) => one.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean "${near}"?`;
  throw new ConfigError(`unknown command "${name}"; ${hint}`);
}

function emptyProgram(): Command {
  return (
    new Command('outrigger')
      .description('Registers your app while it is healthy and routes its calls by service name.')
      .version(readVersion(), versionFlags.toReversed().join(', '), 'print the version')
      .helpOption('-h, --help', 'print this help')
      .addHelpText('after', examples)
      .configureHelp({ showGlobalOptions: false })
      // Errors are thrown and said in one place, as one line.
      .configureOutput({ outputError: () => undefined })
      .exitOverride()
  );
}

const examples = `
Examples:
  $ outrigger run --name payments --port 8080 -- node app.js
  $ curl http://payments.localhost:4140/charge
  $ outrigger explain payments

"outrigger COMMAND --help" says more about a command.`;
