// The project's own sources as syntax trees, for the tidy test.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface SourceText {
  /** Path from the project's root: `src/core/method.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

export interface Import {
  /** As written: `node:fs`, `zod`, `./method.js`. */
  readonly specifier: string;
  /** Path from the root without its ending if it is one of our files: `src/core/method`. */
  readonly file: string | undefined;
  /** Package name if it is a vendor's: `@duckdb/node-api`. */
  readonly vendor: string | undefined;
  readonly typeOnly: boolean;
}

/** All TypeScript and JavaScript files below these folders. */
export function sourcesIn(...folders: readonly string[]): SourceText[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|tsx|mjs|js)$/.test(name))
      .sort()
      .map((name) => parse(join(folder, name))),
  );
}

function parse(path: string): SourceText {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) };
}

/** Every node of the tree, outermost first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

/** `path:line` of a node. */
export function placeOf(source: SourceText, node: ts.Node): string {
  const { line } = source.tree.getLineAndCharacterOfPosition(node.getStart());
  return `${source.path}:${line + 1}`;
}

/** Static imports and re-exports, dynamic `import('…')`, `require('…')`. */
export function importsOf(source: SourceText): Import[] {
  const found: Import[] = [];
  for (const node of nodesOf(source.tree)) {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
      found.push(importOf(source, node.moduleSpecifier.text, isTypeOnly(node)));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier))
      found.push(importOf(source, node.moduleSpecifier.text, node.isTypeOnly));
    else if (ts.isCallExpression(node) && isLoader(node.expression)) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.push(importOf(source, argument.text, false));
    }
  }
  return found;
}

/** `import`, `require` or `createRequire(…)`, about to be called. */
function isLoader(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return /^(require|createRequire\(.*\))$/.test(callee.getText());
}

function isTypeOnly(node: ts.ImportDeclaration): boolean {
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

function importOf(source: SourceText, specifier: string, typeOnly: boolean): Import {
  const ours = specifier.startsWith('.');
  const file = ours
    ? relative(ROOT, resolve(ROOT, dirname(source.path), specifier)).replace(/\.(js|ts|tsx|mjs)$/, '')
    : undefined;
  const vendor = ours || specifier.startsWith('node:') ? undefined : packageOf(specifier);
  return { specifier, file, vendor, typeOnly };
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
