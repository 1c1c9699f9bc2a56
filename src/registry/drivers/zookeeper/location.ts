// Where a ZooKeeper registry is and how it is reached: the meaning of its URL.
import type { Address } from '../../../core/address.ts';
import { ConfigError } from '../../../core/errors.ts';
import { nearest } from '../../../core/service-name.ts';
import { readLeaseTimes } from '../../lease-times.ts';
import { decodeUserInfo, readPassword, type PasswordSource } from '../../password.ts';
import { readTlsFiles, tlsFileParameters, type TlsFiles } from '../../tls-files.ts';
import { parseHostsUrl, parseParameters, redactUrl, type Parameters } from '../../url.ts';
import { curator } from './formats/curator.ts';
import type { Format } from './formats/format.ts';
import { nerve } from './formats/nerve.ts';
import { serverset } from './formats/serverset.ts';
import { parseLayout, type Layout } from './layout.ts';
import type { Access } from './protocol/nodes.ts';

export interface ZooKeeperLocation {
  /** The URL for people: without its password. */
  readonly url: string;
  /** Members of one ensemble. */
  readonly servers: readonly Address[];
  readonly tls?: TlsFiles;
  readonly login?: { readonly user: string; readonly password: PasswordSource };
  /** Whom our nodes are open to. */
  readonly access: Access;
  readonly layout: Layout;
  readonly format: Format;
  /** The session timeout: all leases of the driver end with the session. */
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

const commonParameters = {
  format: 'text',
  session: 'duration',
  heartbeat: 'duration',
  'password-file': 'text',
} as const;

const defaultTimes = { ttlMs: 10_000, heartbeatMs: 3000 };

const formats: ReadonlyMap<string, Format> = new Map([
  ['curator', curator],
  ['serverset', serverset],
  ['nerve', nerve],
]);

/**
 * Reads `zk://[user:password@]host[:2181][,host…][/base]`, or `zks://` for TLS. Throws a ConfigError for anything that
 * cannot work, including files that cannot be read.
 */
export function parseLocation(text: string): ZooKeeperLocation {
  const { url, hosts } = parseHostsUrl(text, 2181);
  const where = `registry ${redactUrl(text)}`;
  const secure = url.protocol === 'zks:';
  const parameters: Parameters<typeof commonParameters & typeof tlsFileParameters> = secure
    ? parseParameters(url, { ...commonParameters, ...tlsFileParameters })
    : parseParameters(url, commonParameters);
  const login = readLogin(url, parameters['password-file'], where);
  const { session, heartbeat } = parameters;
  return {
    url: redactUrl(text),
    servers: hosts,
    ...(secure && { tls: readTlsFiles(parameters, where) }),
    ...(login !== undefined && { login }),
    access: login === undefined ? 'everybody' : 'user',
    layout: parseLayout(url.pathname, where),
    format: readFormat(parameters.format ?? 'curator', where),
    ...readLeaseTimes(
      {
        ...(session !== undefined && { ttl: session }),
        ...(heartbeat !== undefined && { heartbeat }),
      },
      defaultTimes,
      where,
    ),
  };
}

function readLogin(url: URL, file: string | undefined, where: string): ZooKeeperLocation['login'] {
  const password = readPassword(url, file, where);
  if (password.kind === 'none') return undefined;
  const user = decodeUserInfo(url.username, where);
  if (user === '') throw new ConfigError(`${where}: the password has no user`);
  return { user, password };
}

function readFormat(name: string, where: string): Format {
  const format = formats.get(name);
  if (format !== undefined) return format;
  const near = nearest(name, formats.keys());
  const hint = near === undefined ? [...formats.keys()].join(', ') : `did you mean "${near}"?`;
  throw new ConfigError(`${where}: unknown format "${name}"; ${hint}`);
}
