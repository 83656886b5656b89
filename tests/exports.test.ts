import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

// The public names of each package, written down in tests/exports/: a change of them is then seen in review.
// After a wanted change: npx vitest run tests/exports.test.ts -u

const packages = new URL('../packages/', import.meta.url);

describe.each(readdirSync(packages))('%s', (name) => {
  const index = new URL(`${name}/src/index.ts`, packages);
  const statements = ts.createSourceFile(
    'index.ts',
    readFileSync(index, 'utf8'),
    ts.ScriptTarget.ES2022,
  ).statements;

  it('has an index that only exports, name by name', () => {
    const others = statements.filter(
      (s) => !(ts.isExportDeclaration(s) && (s.exportClause || s.moduleSpecifier)),
    );
    expect(others.filter((s) => !isEmptyExport(s)).map((s) => ts.SyntaxKind[s.kind])).toEqual([]);
    expect(statements.filter((s) => ts.isExportDeclaration(s) && !s.exportClause)).toEqual([]);
  });

  it('exports the names that are written down', async () => {
    const names = statements.flatMap(exported);
    const values = names.filter((n) => !n.startsWith('type '));
    expect(Object.keys(await import(index.href)).sort()).toEqual(values.sort());
    await expect(`${names.sort().join('\n')}\n`).toMatchFileSnapshot(`exports/${name}.txt`);
  });
});

/** The names that a statement exports; `type` before those of types. */
function exported(statement: ts.Statement): string[] {
  if (!ts.isExportDeclaration(statement) || !statement.exportClause) return [];
  if (!ts.isNamedExports(statement.exportClause)) return [statement.exportClause.name.text];
  const { isTypeOnly } = statement;
  return statement.exportClause.elements.map(
    (e) => `${isTypeOnly || e.isTypeOnly ? 'type ' : ''}${e.name.text}`,
  );
}

/** `export {};`, as of a package that has nothing yet. */
function isEmptyExport(statement: ts.Statement): boolean {
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier || !statement.exportClause)
    return false;
  return ts.isNamedExports(statement.exportClause) && statement.exportClause.elements.length === 0;
}
