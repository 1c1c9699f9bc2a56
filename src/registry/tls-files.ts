// The certificate files that a registry URL with TLS may name.
import { readFileSync } from 'node:fs';
import { ConfigError, messageOf } from '../core/errors.ts';
import type { Parameters } from './url.ts';

/** URL parameters of every scheme with TLS; each but `servername` is a PEM file's path. */
export const tlsFileParameters = {
  ca: 'text',
  cert: 'text',
  key: 'text',
  servername: 'text',
} as const;

/** PEM texts. The server's certificate is always verified. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Reads the files. Throws a ConfigError for one that cannot be read and for a certificate without its key. */
export function readTlsFiles(
  parameters: Parameters<typeof tlsFileParameters>,
  where: string,
): TlsFiles {
  const { ca, cert, key, servername } = parameters;
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError(`${where}: cert and key need each other`);
  }
  return {
    ...(ca !== undefined && { ca: readConfigFile(ca, 'ca', where) }),
    ...(cert !== undefined && { cert: readConfigFile(cert, 'cert', where) }),
    ...(key !== undefined && { key: readConfigFile(key, 'key', where) }),
    ...(servername !== undefined && { servername }),
  };
}

/** The text of a file that the parameter `name` gives; throws a ConfigError when it cannot be read. */
export function readConfigFile(path: string, name: string, where: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${where}: ${name}: ${messageOf(error)}`, { cause: error });
  }
}
