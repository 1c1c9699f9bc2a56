// Certificates for tests with TLS, made by openssl: an authority, and one that it signed for 127.0.0.1 and localhost.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** PEM texts. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Writes the files into the directory. The certificate serves both servers and clients. */
export function makeCertificates(directory: string): Certificates {
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = { ca: path('ca.crt'), cert: path('test.crt'), key: path('test.key') };
  writeFileSync(path('names.cnf'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test authority'],
    ...['-keyout', path('ca.key'), '-out', files.ca],
  );
  openssl(
    ...['req', ...newKey, '-subj', '/CN=localhost'],
    ...['-keyout', files.key, '-out', path('test.csr')],
  );
  openssl(
    ...['x509', '-req', '-in', path('test.csr'), '-days', '2', '-extfile', path('names.cnf')],
    ...['-CA', files.ca, '-CAkey', path('ca.key'), '-CAcreateserial', '-out', files.cert],
  );
  return {
    ca: readFileSync(files.ca, 'utf8'),
    cert: readFileSync(files.cert, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
    files,
  };
}
