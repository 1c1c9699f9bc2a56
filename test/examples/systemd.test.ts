// The systemd units: what they say about order and time, and systemd's own opinion where it is installed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { splitCommandLine } from '../../src/config/command-line.ts';
import type { Config } from '../../src/config/config.ts';
import { loadRun, secondsOf, textOf } from './support.ts';

/** Values by `Section.Key`, in their order. */
type Unit = ReadonlyMap<string, readonly string[]>;

function parseUnit(text: string): Unit {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of text.replace(/\\\n\s*/g, '').split('\n')) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue;
    const header = /^\[([A-Z]\w+)\]$/.exec(line);
    section = header?.[1] ?? section;
    if (header !== null) continue;
    const [, key, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
    assert.ok(key !== undefined && value !== undefined && section !== '', `no assignment: ${line}`);
    const path = `${section}.${key}`;
    values.set(path, [...(values.get(path) ?? []), value]);
  }
  return values;
}

/** Part of the system, not of any package. */
const analyze = 'systemd-analyze';

const names = ['payments.service', 'payments-outrigger.service'] as const;
const texts = await Promise.all(names.map((name) => textOf(`examples/systemd/${name}`)));
const [app, agent] = texts.map(parseUnit);
assert.ok(app && agent);

function only(unit: Unit | undefined, path: string): string {
  const values = unit?.get(path) ?? [];
  assert.equal(values.length, 1, `${path} is given ${values.length} times`);
  return values[0] ?? '';
}

/** systemd.unit(5): of the system's own services. */
function expand(text: string): string {
  return text.replaceAll('%t', '/run').replaceAll('%S', '/var/lib');
}

function agentConfig(): Promise<Config> {
  const [program, ...words] = splitCommandLine(expand(only(agent, 'Service.ExecStart'))) ?? [];
  assert.equal(program, '/usr/local/bin/outrigger');
  return loadRun(words);
}

describe('examples/systemd', () => {
  it('stops the agent before the app, and starts it with the app', () => {
    // Units stop in the reverse order of After=.
    assert.equal(only(agent, 'Unit.After'), 'payments.service');
    assert.ok(!only(app, 'Unit.After').includes('outrigger'));
    assert.equal(only(agent, 'Unit.PartOf'), 'payments.service');
    assert.ok(only(app, 'Unit.Wants').split(' ').includes('payments-outrigger.service'));
  });

  it('gives the agent longer to stop than it takes to drain', async () => {
    const { drain } = await agentConfig();
    assert.ok(secondsOf(only(agent, 'Service.TimeoutStopSec')) * 1000 > drain.timeoutMs);
    assert.equal(only(agent, 'Service.KillMode'), 'mixed');
    assert.equal(only(agent, 'Service.RestartPreventExitStatus'), '2');
  });

  it('has the agent look at the port of the app', async () => {
    const [service] = (await agentConfig()).services;
    assert.equal(service?.name, 'payments');
    assert.equal(only(app, 'Service.Environment'), `PORT=${service.port}`);
  });

  it('lets the agent write where it keeps things, in directories of its user alone', async () => {
    const { registries, stateDirectory } = await agentConfig();
    assert.equal(registries[0]?.url, `file:///run/${only(agent, 'Service.RuntimeDirectory')}`);
    assert.equal(stateDirectory, `/var/lib/${only(agent, 'Service.StateDirectory')}`);
    assert.equal(only(agent, 'Service.RuntimeDirectoryMode'), '0700');
    assert.equal(only(agent, 'Service.RuntimeDirectoryPreserve'), 'yes');
    assert.equal(only(agent, 'Service.ProtectSystem'), 'strict');
  });

  it('takes no right away that Node and the agent need', () => {
    assert.equal(agent.get('Service.MemoryDenyWriteExecute'), undefined);
    const families = only(agent, 'Service.RestrictAddressFamilies').split(' ');
    for (const family of ['AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_NETLINK']) {
      assert.ok(families.includes(family), family);
    }
  });

  it('installs what is there', async () => {
    const script = await textOf('examples/systemd/install.sh');
    for (const name of names) assert.ok(script.includes(name));
    const [, , path] = /install .*(\.\.\S+) (\/\S+)/.exec(script) ?? [];
    assert.ok(path !== undefined && only(app, 'Service.ExecStart').endsWith(` ${path}`));
  });

  it('is accepted by systemd', async (t) => {
    if (spawnSync(analyze, ['--version']).status !== 0) {
      t.diagnostic('no systemd-analyze here: the units were only read by this test');
      return;
    }
    const directory = await mkdtemp(join(tmpdir(), 'outrigger-units-'));
    t.after(() => rm(directory, { recursive: true }));
    const paths = names.map((name) => join(directory, name));
    for (const [index, path] of paths.entries()) {
      // The programs must exist for it, and need not be on this machine.
      const text = texts[index] ?? '';
      await writeFile(path, text.replace(/^(ExecStart=)\S+/m, `$1${process.execPath}`));
    }
    const verify = spawnSync(analyze, ['verify', ...paths], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' },
    });
    const complaints = `${verify.stdout}${verify.stderr}`
      .split('\n')
      .filter((line) => line.includes('outrigger') || line.includes('payments'));
    assert.deepEqual(complaints, []);
    assert.equal(verify.status, 0, verify.stderr);
  });
});
