import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readKubeconfig } from '../../../../src/registry/drivers/kubernetes/kubeconfig.ts';
import {
  readLocation,
  type KubernetesLocation,
} from '../../../../src/registry/drivers/kubernetes/location.ts';

const directory = mkdtempSync(join(tmpdir(), 'outrigger-k8s-'));
after(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const pod = join(directory, 'pod');
const podToken = file('pod/token', 'a token\n');
file('pod/ca.crt', 'the authority');
file('pod/namespace', 'shop\n');
const outside = join(directory, 'nowhere');

const read = (url: string, mounted = pod): Promise<KubernetesLocation> =>
  readLocation(url, readKubeconfig, mounted);

describe('a k8s URL in a pod', () => {
  it('means the cluster and the namespace of the pod', async () => {
    assert.deepEqual(await read('k8s:'), {
      url: 'k8s:',
      server: { host: 'kubernetes.default.svc', port: 443 },
      tls: { ca: 'the authority' },
      token: { kind: 'file', path: podToken },
      namespace: 'shop',
      register: 'none',
      port: undefined,
      watchMs: 60_000,
      ttlMs: 30_000,
      heartbeatMs: 10_000,
    });
  });

  it('may give another namespace, server, port and times', async () => {
    const url =
      'k8s://prod?server=https://[fd00::1]:6443&port=grpc&register=slice&ttl=9s&watch=2m&servername=k8s';
    const location = await read(url);
    assert.deepEqual(location.server, { host: 'fd00::1', port: 6443 });
    assert.deepEqual(location.tls, { ca: 'the authority', servername: 'k8s' });
    assert.equal(location.namespace, 'prod');
    assert.equal(location.port, 'grpc');
    assert.equal(location.register, 'slice');
    assert.equal(location.watchMs, 120_000);
    assert.equal(location.ttlMs, 9000);
    assert.equal(location.heartbeatMs, 3000);
  });

  it("does not send the pod's token in plain text", async () => {
    const location = await read('k8s:?server=http://127.0.0.1:8001');
    assert.deepEqual(location.token, { kind: 'none' });
    assert.equal(location.tls, undefined);
  });

  it('is refused with a reason where it cannot work', async () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ['k8s://prod/path', /must be k8s:/],
      ['k8s://user:secret@prod', /must be k8s:/],
      ['k8s://Prod_1', /namespace|not a valid URL/],
      ['k8s:?registr=slice', /did you mean "register"/],
      ['k8s:?register=pod', /none or slice/],
      ['k8s:?watch=10ms', /at least 1s/],
      ['k8s:?server=https://host/path', /without a path/],
      ['k8s:?server=host:6443', /https:/],
      ['k8s:?context=dev', /context needs kubeconfig/],
      ['k8s:?token-file=/nowhere/token', /token-file/],
      ['k8s:?kubeconfig=/nowhere/config', /kubeconfig/],
      ['k8s:?kubeconfig=/x&server=https://host', /not both/],
    ];
    for (const [url, message] of refused) {
      await assert.rejects(read(url), (error: Error) => {
        assert.match(error.message, message);
        assert.equal((error as { readonly code?: string }).code, 'config_invalid', url);
        return true;
      });
    }
  });

  it('outside of a pod needs a server or a kubeconfig', async () => {
    await assert.rejects(read('k8s:', outside), /no service account/);
    const location = await read('k8s:?server=https://host', outside);
    assert.deepEqual(location.token, { kind: 'none' });
    assert.equal(location.namespace, 'default');
  });
});

const config = `
apiVersion: v1
kind: Config
current-context: dev
contexts:
- { name: dev, context: { cluster: c1, user: token, namespace: team } }
- { name: cert, context: { cluster: c1, user: cert } }
- { name: file, context: { cluster: c1, user: file } }
- { name: exec, context: { cluster: c1, user: exec } }
- { name: insecure, context: { cluster: c2, user: token } }
- { name: lost, context: { cluster: c3, user: token } }
clusters:
- name: c1
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: ${Buffer.from('CA').toString('base64')}
    tls-server-name: k8s.example
- name: c2
  cluster: { server: 'https://10.0.0.1:6443', insecure-skip-tls-verify: true }
users:
- { name: token, user: { token: secret } }
- { name: cert, user: { client-certificate: c.crt, client-key-data: S0VZ } }
- { name: file, user: { tokenFile: t.token } }
- { name: exec, user: { exec: { command: aws } } }
`;

describe('a k8s URL with a kubeconfig', () => {
  const path = file('config', config);
  file('c.crt', 'CERT');
  file('t.token', 'rotating');
  const url = `k8s:?kubeconfig=${path}`;

  it('means its current context', async () => {
    const location = await read(url, outside);
    assert.deepEqual(location.server, { host: '10.0.0.1', port: 6443 });
    assert.deepEqual(location.tls, { ca: 'CA', servername: 'k8s.example' });
    assert.deepEqual(location.token, { kind: 'text', text: 'secret' });
    assert.equal(location.namespace, 'team');
  });

  it('takes certificates and token files, relative to the file', async () => {
    const { tls, token } = await read(`${url}&context=cert`, outside);
    assert.deepEqual(tls, { ca: 'CA', cert: 'CERT', key: 'KEY', servername: 'k8s.example' });
    assert.deepEqual(token, { kind: 'none' });
    const other = await read(`${url}&context=file`, outside);
    assert.deepEqual(other.token, { kind: 'file', path: join(directory, 't.token') });
  });

  it('says what is not supported and what is missing', async () => {
    await assert.rejects(read(`${url}&context=exec`, outside), /exec is not supported/);
    await assert.rejects(read(`${url}&context=insecure`, outside), /insecure-skip-tls-verify/);
    await assert.rejects(read(`${url}&context=lost`, outside), /no cluster "c3"/);
    await assert.rejects(read(`${url}&context=none`, outside), /no context "none"/);
    const broken = file('broken', '{ not: [yaml');
    await assert.rejects(read(`k8s:?kubeconfig=${broken}`, outside), { code: 'config_invalid' });
  });
});
