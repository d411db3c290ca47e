// Makes dist/web: one script, one style sheet and the font, under names that change with their contents, and the page
// that names them.
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const outdir = join(root, 'dist/web');

await rm(outdir, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: [join(here, 'main.tsx'), join(here, 'icon.svg')],
  outdir: join(outdir, 'assets'),
  absWorkingDir: root,
  bundle: true,
  minify: true,
  sourcemap: 'linked',
  metafile: true,
  format: 'esm',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.woff2': 'file', '.svg': 'copy' },
  legalComments: 'linked',
  logLevel: 'warning',
  tsconfig: join(here, 'tsconfig.json'),
});

const made = Object.keys(metafile.outputs).map((path) => basename(path));
const named = (pattern) => `/assets/${made.find((name) => pattern.test(name))}`;
const page = (await readFile(join(here, 'index.html'), 'utf8'))
  .replace('%SCRIPT%', named(/^main-.*\.js$/))
  .replace('%STYLE%', named(/^main-.*\.css$/))
  .replace('%ICON%', named(/^icon-.*\.svg$/))
  .replace('%FONT%', named(/^inter-latin-wght.*\.woff2$/));
await writeFile(join(outdir, 'index.html'), page);
// The font's licence wants to go wherever the font goes.
const licence = join(root, 'node_modules/@fontsource-variable/inter/LICENSE');
await copyFile(licence, join(outdir, 'assets/inter-licence.txt'));
