// The part of a kubeconfig file that the driver needs: one context's server, certificates and credentials.
import { dirname, resolve } from 'node:path';
import { ConfigError, messageOf } from '../../../core/errors.ts';
import { readConfigFile, type TlsFiles } from '../../tls-files.ts';
import { readServer, type Cluster, type TokenSource } from './location.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a context of the file, or its current one. Rejects with a ConfigError for a file that cannot be read, and for what is not
 * supported: programs that give credentials, passwords, proxies and servers whose certificate is not to be verified.
 */
export async function readKubeconfig(
  path: string,
  contextName: string | undefined,
  where: string,
): Promise<Cluster> {
  const text = readConfigFile(path, 'kubeconfig', where);
  const { parse } = await import('./yaml.ts');
  let root: Fields;
  try {
    root = fieldsOf(parse(text));
  } catch (error) {
    throw new ConfigError(`${where}: kubeconfig: ${messageOf(error)}`, { cause: error });
  }
  const name = contextName ?? textOf(root['current-context']);
  if (name === undefined || name === '') {
    throw new ConfigError(`${where}: kubeconfig: there is no current-context; give context`);
  }
  const context = entryOf(root, 'context', name, where);
  const cluster = entryOf(root, 'cluster', textOf(context['cluster']) ?? '', where);
  const user = entryOf(root, 'user', textOf(context['user']) ?? '', where);
  refuse(cluster, ['insecure-skip-tls-verify', 'proxy-url'], where);
  refuse(user, ['exec', 'auth-provider', 'username', 'password', 'as'], where);
  const files = { folder: dirname(path), where };
  const { server, secure } = readServer(textOf(cluster['server']) ?? '', where);
  return {
    server,
    tls: secure ? readTls(cluster, user, files) : undefined,
    token: readToken(user, files),
    namespace: textOf(context['namespace']),
  };
}

interface Files {
  /** Relative paths are relative to the kubeconfig file. */
  readonly folder: string;
  readonly where: string;
}

function readTls(cluster: Fields, user: Fields, files: Files): TlsFiles {
  const ca = pemOf(cluster, 'certificate-authority', files);
  const cert = pemOf(user, 'client-certificate', files);
  const key = pemOf(user, 'client-key', files);
  const servername = textOf(cluster['tls-server-name']);
  if ((cert === undefined) !== (key === undefined)) {
    const { where } = files;
    throw new ConfigError(
      `${where}: kubeconfig: client-certificate and client-key need each other`,
    );
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
  };
}

function readToken(user: Fields, { folder, where }: Files): TokenSource {
  const text = textOf(user['token']);
  const file = textOf(user['tokenFile']);
  // As kubectl does: the file wins.
  if (file !== undefined) {
    const path = resolve(folder, file);
    readConfigFile(path, 'kubeconfig', where);
    return { kind: 'file', path };
  }
  return text === undefined ? { kind: 'none' } : { kind: 'text', text };
}

/** The text `NAME-data` in base64, or else the file that `NAME` gives. */
function pemOf(fields: Fields, name: string, { folder, where }: Files): string | undefined {
  const inline = textOf(fields[`${name}-data`]);
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
  const path = textOf(fields[name]);
  return path === undefined
    ? undefined
    : readConfigFile(resolve(folder, path), 'kubeconfig', where);
}

/** From the list `clusters`, `contexts` or `users`: what the entry of that name has under `kind`. */
function entryOf(root: Fields, kind: string, name: string, where: string): Fields {
  const list: unknown = root[`${kind}s`];
  const entries = Array.isArray(list) ? list.map(fieldsOf) : [];
  const entry = entries.find((one) => one['name'] === name);
  if (entry === undefined) {
    throw new ConfigError(`${where}: kubeconfig: there is no ${kind} "${name}"`);
  }
  return fieldsOf(entry[kind]);
}

function refuse(fields: Fields, names: readonly string[], where: string): void {
  const found = names.find((name) => fields[name] !== undefined && fields[name] !== false);
  if (found === undefined) return;
  throw new ConfigError(`${where}: kubeconfig: ${found} is not supported`);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
