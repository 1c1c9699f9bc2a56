// Where the nodes of a service are: the paths of the registry.
import { ConfigError } from '../../../core/errors.ts';

/** The folder of a service is `before`/SERVICE`after`. */
export interface Layout {
  /** The folder whose children are the services; begins with a slash. */
  readonly before: string;
  /** Empty, or begins with a slash. */
  readonly after: string;
}

const defaultBase = '/services';

/**
 * Reads the path of a registry URL: the folder of the services, or a path with `{service}` as one of its segments, such as
 * `/nerve/services/{service}/services`.
 */
export function parseLayout(urlPath: string, where: string): Layout {
  const path = decodePath(urlPath, where).replace(/\/+$/, '') || defaultBase;
  const segments = path.split('/').slice(1);
  if (segments.some((segment) => /^(?:\.{0,2}|[^]*\p{Cc}[^]*)$/u.test(segment))) {
    throw new ConfigError(`${where}: the path has a segment that ZooKeeper does not allow`);
  }
  const at = segments.indexOf('{service}');
  if (at < 0) return { before: path, after: '' };
  if (at === 0) throw new ConfigError(`${where}: the services need a folder below the root`);
  if (at !== segments.lastIndexOf('{service}')) {
    throw new ConfigError(`${where}: {service} is given twice`);
  }
  return { before: pathOf(segments.slice(0, at)), after: pathOf(segments.slice(at + 1)) };
}

function pathOf(segments: readonly string[]): string {
  return segments.map((segment) => `/${segment}`).join('');
}

export function folderOf({ before, after }: Layout, service: string): string {
  return `${before}/${service}${after}`;
}

/** The node's ancestors, the highest first. */
export function ancestorsOf(path: string): readonly string[] {
  const segments = path.split('/').slice(1, -1);
  return segments.map((_segment, index) => pathOf(segments.slice(0, index + 1)));
}

/**
 * An id as the name of a node, which must have no slash and no control character and must not be `.` or `..`.
 * Percent-encoding leaves letters, digits and - _ . ! ~ * ' ( ) as they are.
 */
export function nodeNameOf(id: string): string {
  // By way of bytes, as a lone surrogate cannot be encoded.
  const name = encodeURIComponent(Buffer.from(id).toString());
  return /^\.{1,2}$/.test(name) ? name.replaceAll('.', '%2E') : name;
}

function decodePath(path: string, where: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ConfigError(`${where}: the path must be percent-encoded`);
  }
}
