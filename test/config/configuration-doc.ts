// The reference of the configuration, written from the tables of settings and policy keys.
import { format } from 'prettier';
import { documentedPolicyKeys } from '../../src/config/policy-keys.ts';
import {
  flagUsage,
  settingKeys,
  settingOf,
  variableOf,
  type SettingGroup,
  type SettingKey,
} from '../../src/config/settings.ts';

/** The text of docs/configuration.md. */
export async function configurationDoc(): Promise<string> {
  const sections = groups.map(([group, title, text]) =>
    [`## ${title}`, text, settingTable(group)].join('\n\n'),
  );
  const text = [opening, ...sections, fileSection, policySection, policyTable(), closing];
  return format(text.join('\n\n'), { parser: 'markdown', printWidth: 100 });
}

const opening = `
<!-- Written from the tables in src/config by test/config/configuration-doc.ts. -->

# Configuration

Every setting is a flag of \`outrigger run\` and \`outrigger check\`, an environment variable and a key of the configuration
file, and means the same in each. A flag beats a variable, a variable the file, the file the default. An empty variable
counts as not set, and so does what others put there: the URL in \`OUTRIGGER_ADMIN\` that an agent gives to its app, and that
in \`OUTRIGGER_PORT\` of a Kubernetes Service called \`outrigger\`. \`outrigger check\` takes the same flags as \`run\` and prints
every value with its origin.

A switch has two flags, such as \`--passthrough\` and \`--no-passthrough\`; the tables have the one that changes the default. As a
variable it is \`true\` or \`false\`.

Times are \`250ms\`, \`2s\`, \`5m\`, \`1h\`; the unit is required. Flags that are repeatable are lists in the file; their variables
hold several values separated by commas, or by line ends when there are any (\`OUTRIGGER_HEALTH_CMD\` only by line ends).
Anything unknown or out of range ends the program with exit code 2 and one line that says what, where and what is allowed.
`;

const groups: readonly (readonly [SettingGroup, string, string])[] = [
  [
    'Service',
    'The service of the app',
    'Without a name the agent registers nothing and only proxies. A name needs a port.',
  ],
  [
    'Health',
    'Health checks',
    `All checks must pass. A command of \`--health-cmd\` runs without a shell: blanks separate arguments, \`'…'\` is literal, in
\`"…"\` a backslash escapes \`"\` and \`\\\`, elsewhere it escapes the next character. Write \`sh -c '…'\` for a shell.`,
  ],
  [
    'Registry',
    'Registry',
    `A URL with a password is better given as a variable: flags are visible to everybody on the host. \`--ttl\` and \`--heartbeat\` hold for
all registries and beat the \`ttl\` and \`heartbeat\` of a URL; the agent warns when both are given.`,
  ],
  [
    'Proxy',
    'Outbound proxy',
    'A port alone is on 127.0.0.1. A unix socket is recognised by a slash in its path, or by `.sock` at its end.',
  ],
  [
    'Agent',
    'Agent',
    'What comes after `--` is the command of the app, which the agent starts and stops.',
  ],
];

function settingTable(group: SettingGroup): string {
  const rows = settingKeys.filter((key) => settingOf(key).group === group).map(settingRow);
  return ['| flag | variable | key | default | meaning |', '|-|-|-|-|-|', ...rows].join('\n');
}

function settingRow(key: SettingKey): string {
  const { default: value, defaultText, help, inFile } = settingOf(key);
  const cells = [
    `\`${flagUsage(key)}\``,
    `\`${variableOf(key)}\``,
    inFile ?? `\`${key}\``,
    value === undefined ? (defaultText ?? '') : `\`${value}\``,
    help,
  ];
  return `| ${cells.map(escapeCell).join(' | ')} |`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/<([^>]*)>/g, '`<$1>`');
}

const fileSection = `
## The file

\`--config FILE\` names a YAML file (\`.yaml\`, \`.yml\`) or a JSON file (any other name). Besides the keys above it has three:

- \`services\`: a list of local services, each with the keys of the first two tables. \`name\`, \`port\`, \`id\`, \`tags\`, \`meta\`,
  \`weight\` and the checks are then written there and nowhere else; \`advertise\`, \`zone\`, \`serviceVersion\` and the times and
  counts of the checks at the top level are the defaults of every entry.
- \`upstreams\`: for each service that is called, its own listeners (\`listen\`, one or a list) and its policy.
- \`defaults\`: the policy of all services without one of their own.

A check over HTTP may also be a mapping: \`target\` (the path or URL), \`headers\` (sent), \`expectBody\` (a text that the first
4 KB of the body contain) and \`expectHeaders\` (which the reply must have).

\`\`\`yaml
registry: redis://redis:6379
zone: eu-1

services:
  - name: payments
    port: 8080
    tags: [v2]
    healthHttp:
      target: /health
      expectBody: '"ok"'
  - name: payments-admin
    port: 8081
    healthCmd: test -e /run/payments-admin.ready

upstreams:
  orders:
    listen: 7001
    timeout: 2s
    retries: 1
  db:
    listen: tcp:5433

defaults:
  responseTimeout: 10s
\`\`\`
`;

const policySection = `
## The policy of a called service

Keys of \`upstreams.SERVICE\` and of \`defaults\`. Sizes are \`512B\`, \`64KiB\`, \`1MiB\`.
`;

function policyTable(): string {
  const rows = documentedPolicyKeys().map(
    ({ key, default: value, help }) => `| \`${key}\` | \`${value}\` | ${help} |`,
  );
  return ['| key | default | meaning |', '|-|-|-|', ...rows].join('\n');
}

const closing = `
\`p2c\` takes two instances by chance, heavier ones more often, and chooses the one with fewer requests in flight; where the times
that their replies are expected to take differ by more than 2 ms and a factor of two, these count as well. The expected time
follows slower replies within a second and faster ones within ten, and is unknown for the first ten replies of an instance.

## The default registry

\`file:\` is a directory of the user in \`/run/user/UID\`, or where that does not exist in the temporary directory. systemd removes
\`/run/user/UID\` when the user's last session ends. An agent that goes on after that cannot register, and agents that are started
later use the temporary directory and do not see it. Where agents outlive the session, run \`loginctl enable-linger USER\`, or give all
of them a directory of their own, such as \`--registry file:///var/lib/payments/registry\`.

## Kept state

The last known instances of every service that was called are kept in the state directory, so that an agent that restarts
while the registry is away still knows them. With \`--state-dir none\`, or when neither \`XDG_STATE_HOME\` nor \`HOME\` is set,
nothing is kept.
`;
