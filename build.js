// The build: the program and the packages that it uses, as a few files. Finding and reading many small ones would take
// longer than all else that a start does.
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** All in one folder two levels down, like the sources, for these find package.json and the scripts from where they are. */
const target = 'dist/cli';
const scripts = 'src/registry/drivers/redis';

/**
 * An `import` of Node's `http` reads everything that it exports, and from Node 22 on this loads fetch, HTTP/2, TLS and more:
 * 10 to 15 MB that nobody asked for. So it is had without an import.
 */
const builtins = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:https?$/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
    }));
  },
};

const { metafile, outputFiles } = await build({
  entryPoints: { main: 'src/cli/main.ts', worker: 'src/cli/worker.ts' },
  outdir: target,
  bundle: true,
  // What is imported only when needed stays a file of its own.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.18',
  // V8 keeps the text of a program in memory, with its comments, and each character takes two bytes when one of them is not
  // Latin. Names are left as they are and lines short, so a stack trace can be read without the maps too.
  minifyWhitespace: true,
  lineLimit: 120,
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  plugins: [builtins],
  metafile: true,
  write: false,
});

// Packages in CommonJS load Node's own modules with `require`. All of them do it through one helper, so one file needs it: in
// each it would cost a start several milliseconds and megabytes.
const helper = 'Dynamic require of "';
const makeRequire =
  "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url); ";

await mkdir(target, { recursive: true });
for (const { path, text } of outputFiles) {
  await writeFile(path, text.includes(helper) ? makeRequire + text : text);
}

const built = new Set(Object.keys(metafile.outputs));
for (const name of await readdir(scripts)) {
  if (!name.endsWith('.lua')) continue;
  await copyFile(join(scripts, name), join(target, name));
  built.add(join(target, name));
}
const packages = packagesIn(Object.keys(metafile.inputs));
const licences = 'dist/third-party-licences.txt';
await writeFile(licences, await licencesOf(packages));
built.add(licences);
// Scanners for known vulnerabilities look for packages, which a bundle hides, and for this.
const bill = 'dist/sbom.cdx.json';
await writeFile(bill, JSON.stringify(await billOf(packages), null, 2));
built.add(bill);
await removeOthers('dist');

/** The folders of the packages that the files belong to. */
function packagesIn(files) {
  const folders = files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

/** Fails for a package without a licence, as its terms could not be kept. */
async function licencesOf(packages) {
  const texts = packages.map(async (folder) => {
    const { name, version } = await manifestOf(folder);
    const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

/** The packages as CycloneDX 1.5 has them. */
async function billOf(packages) {
  const manifests = await Promise.all(packages.map(manifestOf));
  const components = manifests.map(({ name, version, license }) => ({
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    licenses: [{ expression: license }],
  }));
  const { name, version } = await manifestOf('.');
  const metadata = { component: { type: 'application', name, version } };
  return { bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, metadata, components };
}

async function manifestOf(folder) {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
}

/** What an earlier build left. Last, so that a program that runs from there misses nothing until then. */
async function removeOthers(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !built.has(path)) await rm(path);
  }
}
