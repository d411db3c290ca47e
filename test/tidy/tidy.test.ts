// The code's own rules, tested on the code: rooms that don't reach into each other, a core without a clock,
// packages that are declared where they are used, files and functions that a person can read in one go.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { importsOf, nodesOf, placeOf, ROOT, type SourceText, sourcesIn } from './sources.js';

const FILE_LINES_MAX = 400;
const TEST_FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

const src = sourcesIn('src');
const tests = sourcesIn('test');
const others = sourcesIn('fixtures', 'bin');

/** `core`, `adapters/duckdb`, or `` for a file directly in src. */
function roomOf(path: string): string {
  const parts = path.replace(/^src\//, '').split('/');
  return parts
    .slice(0, parts[0] === 'adapters' ? 2 : 1)
    .slice(0, parts.length - 1)
    .join('/');
}

/** Anybody may: the world's errors, the version, a wait that can be ended, one for a server, a trouble told now and again, and how a data directory is locked and written safely. */
const OPEN_TO_ALL = [
  'src/errors',
  'src/version',
  'src/pause',
  'src/insist',
  'src/repeated-warning',
  'src/adapters/embedded/lock',
  'src/adapters/embedded/layout',
  'package',
];

/** What each room may import of the others. Commands and the bench wire everything together. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '': ['commands', 'engine', 'options', 'ui'],
  core: [],
  options: ['core', 'ui', 'adapters/kafka', 'lake', 'spool'],
  ui: ['core', 'batch', 'lake'],
  ads: ['core'],
  batch: ['core', 'adapters/duckdb', 'lake'],
  // It opens sources and the lake by their names, in threads of their own.
  engine: ['core', 'adapters/embedded', 'adapters/file', 'adapters/kafka', 'adapters/redis', 'lake', 'live'],
  // Its checker unpacks zstd as the file source does.
  lake: ['core', 'adapters/duckdb', 'adapters/s3', 'adapters/file'],
  ingest: ['core', 'ads', 'spool'],
  live: ['core'],
  web: ['core', 'serve'],
  metrics: ['core'],
  spool: ['core', 'adapters/embedded', 'adapters/kafka'],
  // Whoever copies a store compares snapshots, which are Parquet files.
  followers: ['core', 'adapters/embedded', 'adapters/duckdb'],
  stores: [
    'core',
    'live',
    'ads',
    'adapters/cassandra',
    'adapters/duckdb',
    'adapters/postgres',
    'adapters/clickhouse',
    'adapters/dynamodb',
    'adapters/redis',
  ],
  // Who asks from behind a proxy is found out as for clicks.
  serve: ['core', 'live', 'stores', 'options', 'ui', 'batch', 'adapters/redis', 'ingest'],
  // Its clients are mended as ours are.
  services: ['options', 'ui', 'adapters/kafka'],
  // Its proof asks stores as their users do; its clients are mended as ours are.
  torture: ['core', 'live', 'services', 'stores', 'ui', 'adapters/kafka'],
  tour: ['ingest', 'services', 'ui'],
  adapters: ['core'],
  'adapters/cassandra': ['core', 'adapters/journaled'],
  'adapters/dynamodb': ['core', 'adapters/journaled'],
  // Its snapshots are Parquet files, which DuckDB reads and writes.
  // One of its tables is that of the ads.
  'adapters/postgres': ['core', 'ads', 'adapters/duckdb'],
  'adapters/journaled': ['core', 'adapters/duckdb'],
  'adapters/clickhouse': ['core', 'adapters/journaled'],
};

function wallsOf(room: string): readonly string[] {
  return MAY_IMPORT[room] ?? MAY_IMPORT[room.split('/')[0]!] ?? [];
}

/**
 * The recomputation must not share the stream's mistakes: of core it may know only what the two must agree on, and
 * so may the lake, which judges records for it. The lake also routes bare lines as Kafka would.
 */
const INDEPENDENT: Readonly<Record<string, readonly string[]>> = {
  batch: ['method', 'method-hash', 'ports/store', 'ports/books'],
  lake: ['method', 'method-hash', 'ports/log', 'batches', 'murmur2'],
};

/** A vendor's package is spoken to in one room, so that it can be replaced there; DuckDB and zstd in those that need them. */
const VENDOR_ROOMS: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-dynamodb': ['adapters/dynamodb', 'bench'],
  '@aws-sdk/client-s3': ['adapters/s3'],
  '@aws-sdk/lib-storage': ['adapters/s3'],
  '@clickhouse/client': ['adapters/clickhouse'],
  '@duckdb/node-api': ['adapters/duckdb', 'torture'],
  '@duckdb/node-bindings': ['adapters/duckdb', 'batch', 'lake'],
  '@fastify/cookie': ['serve'],
  '@fastify/rate-limit': ['serve'],
  '@fastify/static': ['serve'],
  '@fastify/swagger': ['serve'],
  '@fastify/websocket': ['serve'],
  '@fontsource-variable/inter': ['web'],
  assemblyscript: ['wasm'],
  '@node-rs/crc32': ['adapters/kafka'],
  autocannon: ['bench'],
  'cassandra-driver': ['adapters/cassandra', 'services'],
  'cli-table3': ['ui'],
  commander: ['options'],
  'csv-parse': ['ads'],
  'decimal.js': ['batch'],
  esbuild: ['web'],
  fastify: ['ingest', 'serve'],
  fzstd: ['adapters/kafka'],
  ink: ['ui'],
  ioredis: ['adapters/redis'],
  isbot: ['ingest'],
  jose: ['serve'],
  kafkajs: ['adapters/kafka', 'bench', 'services', 'torture'],
  'lru-cache': ['ads', 'ingest'],
  'lz4-napi': ['adapters/kafka'],
  maxmind: ['ingest'],
  'parquetjs-lite': ['adapters/parquetjs', 'lake'],
  pg: ['adapters/postgres', 'services'],
  'pg-copy-streams': ['adapters/postgres'],
  pino: ['ui'],
  preact: ['web'],
  'prom-client': ['metrics'],
  react: ['ui'],
  snappy: ['adapters/kafka'],
  'ua-parser-js': ['ingest'],
  uuid: ['ingest'],
  uplot: ['web'],
  zod: ['options'],
  zx: ['commands', 'bench', 'services'],
};

function violations(sources: readonly SourceText[], rule: (source: SourceText) => string[]): string[] {
  return sources.flatMap(rule);
}

test('rooms import only what their walls allow', () => {
  const crossings = violations(src, (source) => {
    const room = roomOf(source.path);
    if (room === 'commands' || room === 'bench') return [];
    return importsOf(source).flatMap(({ file }) => {
      if (file === undefined || OPEN_TO_ALL.includes(file)) return [];
      const other = roomOf(`${file}.ts`);
      const allowed = other === room || wallsOf(room).includes(other);
      return allowed ? [] : [`${source.path} imports ${file}`];
    });
  });
  expect(crossings).toEqual([]);
});

test('what runs in browsers takes only types and the API from the other rooms', () => {
  const shared = (file: string) => file.startsWith('src/web/') || file === 'src/serve/api';
  const taken = violations(src, (source) => {
    if (!source.path.startsWith('src/web/')) return [];
    return importsOf(source).flatMap(({ file, typeOnly }) =>
      file === undefined || typeOnly || shared(file) ? [] : [`${source.path} imports ${file}`],
    );
  });
  expect(taken).toEqual([]);
});

test('the batch recomputation and the lake share nothing with the stream but the method', () => {
  const shared = violations(src, (source) => {
    const known = INDEPENDENT[roomOf(source.path)]?.map((name) => `src/core/${name}`);
    return importsOf(source).flatMap(({ file }) =>
      known && file?.startsWith('src/core/') && !known.includes(file)
        ? [`${source.path} imports ${file}`]
        : [],
    );
  });
  expect(shared).toEqual([]);
});

test('core has no clock, no chance, no files, no sockets, no vendor', () => {
  const core = src.filter(({ path }) => roomOf(path) === 'core');
  const impure = violations(core, (source) => {
    const words = source.text.matchAll(
      /\b(Date\.now|new Date\(\)|Math\.random|process\.|performance\.|setTimeout|setInterval|fetch\(|console\.)/g,
    );
    const modules = importsOf(source).filter(
      ({ specifier, file }) =>
        file === undefined && !(specifier === 'node:crypto' && source.path === 'src/core/method-hash.ts'),
    );
    return [
      ...[...words].map(([word]) => `${source.path}: ${word}`),
      ...modules.map(({ specifier }) => `${source.path} imports ${specifier}`),
    ];
  });
  expect(impure).toEqual([]);
});

test('a vendor’s package is imported in one room', () => {
  const wrong = violations(src, (source) =>
    importsOf(source).flatMap(({ vendor }) => {
      if (vendor === undefined || VENDOR_ROOMS[vendor]?.includes(roomOf(source.path))) return [];
      return [`${source.path} imports ${vendor}`];
    }),
  );
  expect(wrong).toEqual([]);
});

test('packages that are declared are imported, and the other way round', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const vendorsOf = (sources: readonly SourceText[]) =>
    new Set(sources.flatMap((source) => importsOf(source).flatMap(({ vendor }) => vendor ?? [])));
  // What the build makes for browsers and of WebAssembly is made: who installs click-agg needs no package for it.
  const used = vendorsOf(src.filter(({ path }) => !['web', 'wasm'].includes(roomOf(path))));
  const usedAnywhere = vendorsOf([...src, ...tests, ...others, ...configs()]);
  const declared = new Set(Object.keys(manifest.dependencies));
  // Used by their commands, or as types of other packages.
  const tools = new Set([
    '@biomejs/biome',
    '@types/autocannon',
    '@types/node',
    '@types/pg',
    '@types/pg-copy-streams',
    '@types/react',
    '@types/ua-parser-js',
    '@types/ws',
  ]);
  const all = [...declared, ...Object.keys(manifest.devDependencies).filter((name) => !tools.has(name))];
  expect(
    [...used].filter((name) => !declared.has(name)),
    'imported in src but no dependency',
  ).toEqual([]);
  expect(
    [...usedAnywhere].filter((name) => !all.includes(name)),
    'imported but not declared',
  ).toEqual([]);
  expect(
    all.filter((name) => !usedAnywhere.has(name)),
    'declared but never imported',
  ).toEqual([]);
});

function configs(): SourceText[] {
  const path = 'vitest.config.ts';
  const text = readFileSync(join(ROOT, path), 'utf8');
  return [{ path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) }];
}

test('files are short enough to be one idea', () => {
  const long = (sources: readonly SourceText[], linesMax: number) =>
    violations(sources, ({ path, text }) => {
      const lines = text.split('\n').length - 1;
      return lines > linesMax ? [`${path}: ${lines} lines`] : [];
    });
  expect([...long(src, FILE_LINES_MAX), ...long(tests, TEST_FILE_LINES_MAX)]).toEqual([]);
});

test('functions are short enough to be read in one go', () => {
  const long = violations(src, (source) =>
    [...nodesOf(source.tree)].filter(ts.isFunctionLike).flatMap((node) => {
      const { line: first } = source.tree.getLineAndCharacterOfPosition(node.getStart());
      const { line: last } = source.tree.getLineAndCharacterOfPosition(node.getEnd());
      const lines = last - first + 1;
      return lines > FUNCTION_LINES_MAX ? [`${placeOf(source, node)}: ${lines} lines`] : [];
    }),
  );
  expect(long).toEqual([]);
});

test('every file says first why it exists', () => {
  const silent = violations([...src, ...tests], ({ path, text }) =>
    /^(#!.*\n)?(\/\/ |\/\*)/.test(text) ? [] : [path],
  );
  expect(silent).toEqual([]);
  // Sorting imports moves them off.
  const apart = violations([...src, ...tests], ({ path, text }) =>
    /^(#!.*\n)?(\/\/.*\n)+\n+import/.test(text) ? [path] : [],
  );
  expect(apart, 'a blank line between a header and its imports').toEqual([]);
});

test('every exported function says what it gives', () => {
  const silent = violations(src, (source) =>
    source.tree.statements.flatMap((statement) => {
      if (!ts.isFunctionDeclaration(statement)) return [];
      const exported = statement.modifiers?.some((one) => one.kind === ts.SyntaxKind.ExportKeyword);
      if (!exported || ts.getJSDocCommentsAndTags(statement).length > 0) return [];
      return [`${placeOf(source, statement)}: ${statement.name?.text}`];
    }),
  );
  expect(silent).toEqual([]);
});

test('no name hides what it names', () => {
  const vague = /(^|[-_])(data(?!-dir)|managers?|helpers?|utils?|misc|common|stuff)([-_.]|$)/;
  const files = [...src, ...tests].filter(({ path }) => vague.test(path.split('/').at(-1) ?? ''));
  const names = violations(src, (source) =>
    [...nodesOf(source.tree)]
      .filter(
        (node) =>
          ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node),
      )
      .flatMap((node) => {
        const name = node.name && ts.isIdentifier(node.name) ? node.name.text : '';
        return /^(data|tmp|foo|stuff)$|(Manager|Helper|Utils?)$/.test(name)
          ? [`${placeOf(source, node)}: ${name}`]
          : [];
      }),
  );
  expect([...files.map(({ path }) => path), ...names]).toEqual([]);
});

test('nothing is left over or switched off', () => {
  const left = violations([...src, ...tests, ...others], (source) => {
    if (source.path.startsWith('test/tidy/')) return [];
    const words = source.text.matchAll(
      /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck)|\b(it|test|describe)\.only\b/g,
    );
    return [...words].map(([word]) => `${source.path}: ${word}`);
  });
  const typed = violations([...src, ...tests], (source) =>
    [...nodesOf(source.tree)].flatMap((node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) return [`${placeOf(source, node)}: any`];
      const hides = ts.isCatchClause(node) && node.block.getText().replace(/\s/g, '') === '{}';
      return hides ? [`${placeOf(source, node)}: an error is swallowed without a word`] : [];
    }),
  );
  expect([...left, ...typed]).toEqual([]);
});

test('links in the documentation lead somewhere', () => {
  const folders = ['.', 'docs', 'fixtures'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name)),
  );
  const pages = folders.filter((path) => path.endsWith('.md'));
  const dead = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
      .filter(([, target]) => !existsSync(join(ROOT, dirname(page), target!)))
      .map(([, target]) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test('the executable is three lines', () => {
  const lines = readFileSync(join(ROOT, 'bin/click-agg.js'), 'utf8').split('\n').filter(Boolean);
  expect(lines).toHaveLength(3);
});
